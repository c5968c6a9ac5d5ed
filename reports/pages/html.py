"""The report for people: one HTML file that needs no network."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from doorbuster.verdicts import EXIT_CODES, Verdict, severity
from reports.evidence import Run
from reports.judging import Review
from reports.pages import phrases, tables
from reports.pages.charts import charts
from reports.pages.drawing_javascript import drawing_javascript
from reports.pages.unknowns import unknowns

_TEMPLATES: Final = Path(__file__).parent.parent / "templates"
_REASONS_MAX: Final = 3


def report_html(run: Run, answer: Review) -> str:
    """Return the whole page."""
    drawn = charts(run, answer.summary.recovery)
    return template("report.html.j2").render(
        style=style(),
        javascript=drawing_javascript() if drawn else "",
        charts=drawn,
        headline=phrases.HEADLINES[answer.exit_code],
        exit_code=answer.exit_code,
        exit_meaning=EXIT_CODES[answer.exit_code],
        reasons=[reason.sentence for reason in answer.reasons[:_REASONS_MAX]],
        reasons_more=max(0, len(answer.reasons) - _REASONS_MAX),
        plan=run.plan,
        run_id=run.run_id,
        generator=tables.generator_line(answer.summary),
        sale=tables.sale_line(answer.summary),
        facts=_setting(run),
        checks=_worst_first(answer, budgets=False),
        budgets=tables.budgets(run, answer.verdicts),
        figures=tables.figures(answer.summary),
        funnel=tables.funnel(answer.summary),
        groups=tables.groups(answer.summary),
        generator_rows=tables.generator(answer.summary),
        faults=tables.faults(answer.summary),
        splits=tables.splits(answer.summary),
        losses=tables.losses(answer.summary),
        notes=tables.remarks(run),
        unknowns=unknowns(run, answer),
    )


def template(name: str) -> Template:
    """Return a page's template: what is put into it is escaped, and what is missing is an error."""
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"script": script, "facts": phrases.facts}
    return environment.get_template(name)


def style() -> str:
    return (_TEMPLATES / "report.css").read_text(encoding="utf-8")


def _worst_first(answer: Review, *, budgets: bool) -> list[Verdict]:
    chosen = [v for v in answer.verdicts if (v.kind == "budget") == budgets]
    return sorted(chosen, key=severity, reverse=True)


def _setting(run: Run) -> list[tuple[str, str]]:
    """Return what was run and where, name and value; a report without it is an anecdote."""
    plan = run.plan
    shop = f"{plan.shop}, {plan.storefront.reservation}, {plan.storefront.replicas} replica(s)"
    known = [
        ("plan", f"{plan.name} ({plan.description})" if plan.description else plan.name),
        ("seed", str(plan.seed)),
        ("stack", plan.stack),
        ("shop", f"{shop}, {plan.storefront.replication} replication"),
    ]
    if plan.storefront.flaws:
        known.append(("planted flaws", ", ".join(plan.storefront.flaws)))
    if run.timeline.no_fault_stands:
        known.append(("faults left standing", "none: no toxic, stopped process or misbehaviour"))
    if run.timeline.clean:
        known.append(("left behind", "nothing: no process, folder or shared memory of the run"))
    return [*known, *flat(run.plan_facts), *flat(run.environment)]


def flat(facts: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Return what is known, name and value, with the names of nested facts in words."""
    found: list[tuple[str, str]] = []
    for name, value in facts.items():
        if isinstance(value, Mapping):
            found += flat(value, f"{prefix}{name} ")
        elif isinstance(value, list):
            found += [(prefix + name, ", ".join(map(str, value)))] if value else []
        elif name != "schema" and value is not None:
            found.append(((prefix + name).replace("_", " "), str(value)))
    return found


def script(value: object) -> str:
    """Return `value` as JSON that can stand inside a script element."""
    return json.dumps(value, separators=(",", ":")).replace("<", "\\u003c")
