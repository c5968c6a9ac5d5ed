"""The review of a run: read the evidence, judge it, and write down what it comes to.

A function of the run directory alone: again, later, elsewhere, it gives the same verdicts.
"""

from typing import Any

from doorbuster.rundir import RunDirectory, write_json, write_whole
from reports.evidence import read_run
from reports.exits import run_reasons
from reports.judging import Review, judged
from reports.pages.html import report_html
from reports.pages.junit import junit_xml
from reports.pages.markdown import summary_markdown
from reports.summary import SCHEMA

__all__ = ["Review", "check", "review"]


def check(directory: RunDirectory) -> Review:
    """Judge the run in `directory` and write nothing."""
    with read_run(directory) as run:
        return judged(run)


def review(directory: RunDirectory) -> Review:
    """Judge the run in `directory` and write its verdicts, summary and reports there.

    The verdicts are written first: they must be there even if a page cannot be drawn.
    """
    with read_run(directory) as run:
        answer = judged(run)
        write_json(directory.verdicts, verdicts_document(answer))
        write_json(directory.summary, answer.summary)
        accidents = run_reasons(run.timeline)
        folder = directory.path
        write_whole(folder / "junit.xml", junit_xml(run.plan.name, answer.verdicts, accidents))
        write_whole(folder / "summary.md", summary_markdown(answer))
        write_whole(folder / "report.html", report_html(run, answer))
    return answer


def verdicts_document(answer: Review) -> dict[str, Any]:
    """Return what `verdicts.json` holds."""
    return {
        "schema": SCHEMA,
        "run_id": answer.summary.run_id,
        "overall": answer.overall.name.lower(),
        "exit_code": answer.exit_code,
        "exit_codes": sorted({reason.exit_code for reason in answer.reasons}) or [0],
        "reasons": [reason.sentence for reason in answer.reasons],
        "verdicts": answer.verdicts,
        "not_possible": answer.impossible,
    }
