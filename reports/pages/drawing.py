"""How a timeline chart is drawn: Vega-Lite specifications that share one axis of seconds.

Colours are those of Okabe and Ito, which colour-blind readers can tell apart. Text has no colour
here: the page's style sheet gives it one that fits its theme. Rows are named data sets and never
pass through Altair, which would check and copy each of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import altair as alt

from doorbuster.plan import Plan
from reports.figures.recovery import FaultFigures

GREEN: Final = "#009E73"
SKY: Final = "#56B4E9"
BLUE: Final = "#0072B2"
ORANGE: Final = "#E69F00"
VERMILION: Final = "#D55E00"
PINK: Final = "#CC79A7"
YELLOW: Final = "#F0E442"
GREY: Final = "#8a8f98"

Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class Lines:
    """Rows of (second, what, value) and how they are drawn."""

    rows: Rows
    colours: dict[str, str]
    axis: str
    height: int = 150
    log: bool = False
    stacked: bool = False


@dataclass(frozen=True)
class Frame:
    """What all charts of a run share: shaded stretches behind, their names above.

    Drawn once, since drawing takes longer than all the lines together.
    """

    length_s: float
    behind: Rows
    above: Rows
    datasets: dict[str, Rows]


def frame_of(plan: Plan, faults: Sequence[FaultFigures]) -> Frame:
    """Return the frame with the plan's phases and the faults as they happened."""
    behind = [
        _bands("phases", by="shade", colours={"odd": "#8a8f9800", "even": "#8a8f981c"}),
        _bands("faults", by="part", colours={"fault": "#E69F0055", "recovering": "#E69F0022"}),
        _chart("opens").mark_rule(color=GREY, strokeDash=[4, 3]).encode(x=alt.X("from:Q")),
    ]
    above = [_names("phases", row=1), _names("faults"), _names("opens", align="right")]
    layers = alt.layer(*behind, *above).to_dict(validate=False)["layer"]
    return Frame(
        length_s=plan.length_s,
        behind=layers[: len(behind)],
        above=layers[len(behind) :],
        datasets={
            "phases": _phases(plan),
            "faults": [row for fault in faults for row in felt(fault, plan.length_s)],
            "opens": [{"from": plan.opens_s, "name": "sale opens"}],
        },
    )


def drawn(lines: Lines, frame: Frame) -> dict[str, Any]:
    """Return the chart of `lines` with the frame's bands behind it and its names above."""
    marks = _bars(lines, frame) if lines.stacked else _strokes(lines, frame)
    chart = (
        alt.layer(marks)
        .properties(width="container", height=lines.height)
        .resolve_scale(color="independent")
        .configure(font="inherit", background="transparent")
        .configure_view(stroke=None)
    )
    spec: dict[str, Any] = chart.to_dict(validate=False)
    spec["layer"] = [*frame.behind, *spec["layer"], *frame.above]
    spec["datasets"] = {"lines": lines.rows, **frame.datasets}
    return spec


def _phases(plan: Plan) -> Rows:
    spans = ((phase, *plan.phase_span_s(phase)) for phase in plan.phase_starts_s)
    return [
        {"name": phase, "from": start_s, "to": end_s, "shade": "even" if number % 2 else "odd"}
        for number, (phase, start_s, end_s) in enumerate(spans)
    ]


def felt(fault: FaultFigures, end_s: float) -> Rows:
    """Return the band of the fault itself and the paler, unnamed one of what it left behind.

    Where nothing more was seen, as after a run was killed, nothing is said to be unsteady.
    """
    lifted_s = min(fault.lifted_s if fault.lifted_s is not None else end_s, end_s)
    lag_s = fault.observed_s if fault.lag_s is None else fault.lag_s
    back_s = min(lifted_s + lag_s, end_s)
    itself = {"from": fault.begin_s, "to": lifted_s, "name": fault.name, "part": "fault"}
    after = {"from": lifted_s, "to": back_s, "name": "", "part": "recovering"}
    return [itself, after] if back_s > lifted_s else [itself]


def _chart(dataset: str) -> alt.Chart:
    return alt.Chart(alt.NamedData(dataset))


def _bands(dataset: str, *, by: str, colours: dict[str, str]) -> alt.Chart:
    scale = alt.Scale(domain=list(colours), range=list(colours.values()))
    colour = alt.Color(by, type="nominal", scale=scale, legend=None)
    bands: alt.Chart = (
        _chart(dataset).mark_rect().encode(x=alt.X("from:Q"), x2="to:Q", color=colour)
    )
    return bands


def _names(dataset: str, *, row: int = 0, align: Literal["left", "right"] = "left") -> alt.Chart:
    """Write the names above the chart, in rows so that they do not hide each other."""
    marked = _chart(dataset).mark_text(
        align=align,
        baseline="bottom",
        dx=3 if align == "left" else -3,
        fontSize=11,
        fontStyle="normal" if row else "italic",
    )
    names: alt.Chart = marked.encode(x=alt.X("from:Q"), y=alt.value(-3 - 14 * row), text="name:N")
    return names


def _coloured(lines: Lines) -> alt.Chart:
    scale = alt.Scale(domain=list(lines.colours), range=list(lines.colours.values()))
    symbol = "square" if lines.stacked else "stroke"
    legend = alt.Legend(title=None, orient="bottom", direction="horizontal", symbolType=symbol)
    coloured: alt.Chart = _chart("lines").encode(
        color=alt.Color("what:N", scale=scale, legend=legend),
        tooltip=[
            alt.Tooltip("second:Q", title="second"),
            alt.Tooltip("what:N", title="what"),
            alt.Tooltip("value:Q", title=lines.axis, format=",.4~r"),
        ],
    )
    return coloured


def _seconds(frame: Frame) -> alt.X:
    return alt.X(
        "second:Q",
        scale=alt.Scale(domain=[0, frame.length_s], nice=False),
        axis=alt.Axis(title=None, grid=False, format="d", tickMinStep=5),
    )


def _bars(lines: Lines, frame: Frame) -> alt.Chart:
    """Stack bars from each second to the next; a band scale would not line up with other charts."""
    bars: alt.Chart = (
        _coloured(lines)
        .mark_bar(binSpacing=0, clip=True)
        .encode(
            x=_seconds(frame).bin("binned"),
            x2="until:Q",
            y=alt.Y("value:Q", axis=_axis(lines), stack="zero"),
        )
    )
    return bars


def _strokes(lines: Lines, frame: Frame) -> alt.Chart:
    """Draw lines, with a little room above so that none lies on the chart's edge."""
    linear = alt.Scale(domainMin=0, nice=True)
    scale = alt.Scale(type="log", padding=5) if lines.log else linear
    strokes: alt.Chart = (
        _coloured(lines)
        .mark_line(strokeWidth=1.6, clip=True, interpolate="linear" if lines.log else "step-after")
        .encode(x=_seconds(frame), y=alt.Y("value:Q", axis=_axis(lines), scale=scale))
    )
    return strokes


def _axis(lines: Lines) -> alt.Axis:
    """Return the value axis; all have one width, so that the charts' seconds stand in line."""
    if not lines.log:
        return alt.Axis(title=lines.axis, minExtent=58, tickCount=5, format=",~r")
    return alt.Axis(
        title=lines.axis,
        minExtent=58,
        values=[0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30],
        labelExpr="datum.value < 1 ? datum.value * 1000 + ' ms' : datum.value + ' s'",
    )
