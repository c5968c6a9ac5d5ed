"""The capacity page: the answer first, then the curve over offered rate and the steps."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import altair as alt

from reports.pages.drawing import BLUE, GREEN, GREY, VERMILION
from reports.pages.drawing_javascript import drawing_javascript
from reports.pages.html import flat, script, style, template

if TYPE_CHECKING:
    from reports.capacity import StepFigures

_COLOURS: Final = {"pass": GREEN, "fail": VERMILION, "unknown": GREY}


def capacity_html(
    run_id: str, steps: "Sequence[StepFigures]", answer: str, facts: Mapping[str, Any]
) -> str:
    """Return the whole page, which needs no network."""
    ordered = sorted(steps, key=lambda step: step.rate_per_s)
    specs = [_curve(ordered), _goodput(ordered)] if ordered else []
    return template("capacity.html.j2").render(
        style=style(),
        javascript=drawing_javascript() if specs else "",
        run_id=run_id,
        answer=answer,
        steps=ordered,
        specs=[script(spec) for spec in specs],
        facts=dict(flat(facts)),
    )


def _curve(steps: "Sequence[StepFigures]") -> dict[str, Any]:
    """Return the p99 of reserve over the offered rate, intended beside service."""
    rows = [
        {"rate": step.offered_per_s, "what": what, "seconds": value, "ruling": step.ruling}
        for step in steps
        for what, value in (
            ("intended", step.reserve_p99_s),
            ("service", step.reserve_service_p99_s),
        )
        if value is not None
    ]
    latency = alt.Y("seconds:Q", title="p99 of reserve (s)", scale=alt.Scale(type="log"))
    return _drawn(rows, y=latency, domain=["intended", "service"], colours=[BLUE, GREY])


def _goodput(steps: "Sequence[StepFigures]") -> dict[str, Any]:
    """Return the goodput over the offered rate."""
    rows = [
        {
            "rate": step.offered_per_s,
            "what": "goodput",
            "goodput_per_s": step.goodput_per_s,
            "ruling": step.ruling,
        }
        for step in steps
        if step.goodput_per_s is not None
    ]
    goodput = alt.Y("goodput_per_s:Q", title="goodput (operations/s)")
    return _drawn(rows, y=goodput, domain=["goodput"], colours=[GREEN])


def _drawn(
    rows: list[dict[str, Any]], *, y: alt.Y, domain: list[str], colours: list[str]
) -> dict[str, Any]:
    base = alt.Chart(alt.InlineData(rows)).encode(
        x=alt.X("rate:Q", title="offered (sessions/s)"), y=y
    )
    line = base.mark_line().encode(
        color=alt.Color("what:N", title=None, scale=alt.Scale(domain=domain, range=colours))
    )
    scale = alt.Scale(domain=list(_COLOURS), range=list(_COLOURS.values()))
    points = base.mark_point(filled=True, size=90, opacity=1).encode(
        fill=alt.Fill("ruling:N", title="step", scale=scale)
    )
    chart = (line + points).resolve_scale(color="independent", fill="independent")
    spec: dict[str, Any] = chart.properties(width="container", height=240).to_dict()
    return spec | {"autosize": {"type": "fit", "contains": "padding"}, "background": None}
