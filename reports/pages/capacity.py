"""The capacity page: the answer first, then the curve over offered rate and the steps."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import altair as alt
import vl_convert
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from reports.pages.drawing import BLUE, GREEN, GREY, VERMILION
from reports.pages.html import EXPORTED, closed

if TYPE_CHECKING:
    from reports.capacity import StepFigures

_TEMPLATES: Final = Path(__file__).parent.parent / "templates"
_COLOURS: Final = {"pass": GREEN, "fail": VERMILION, "unknown": GREY}


def capacity_html(
    run_id: str, steps: "Sequence[StepFigures]", answer: str, facts: Mapping[str, Any]
) -> str:
    """Return the whole page, which needs no network."""
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    ordered = sorted(steps, key=lambda step: step.rate_per_s)
    specs = [_curve(ordered), _goodput(ordered)] if ordered else []
    return environment.get_template("capacity.html.j2").render(
        style=(_TEMPLATES / "report.css").read_text(encoding="utf-8"),
        javascript=closed(vl_convert.javascript_bundle(EXPORTED)),
        run_id=run_id,
        answer=answer,
        steps=ordered,
        specs=[json.dumps(spec).replace("</", "<\\/") for spec in specs],
        facts=facts,
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
    rows = [
        {
            "rate": step.offered_per_s,
            "what": "goodput",
            "seconds": step.goodput_per_s or 0.0,
            "ruling": step.ruling,
        }
        for step in steps
    ]
    rate = alt.Y("seconds:Q", title="goodput (operations/s)")
    return _drawn(rows, y=rate, domain=["goodput"], colours=[GREEN])


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
