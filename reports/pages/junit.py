"""JUnit XML for CI: a fail is a failure, an unknown is an error, and nothing is ever skipped."""

import re
from collections.abc import Sequence
from typing import Final
from xml.etree import ElementTree as ET

from doorbuster.verdicts import Verdict
from reports.exits import Reason

_FORBIDDEN: Final = re.compile(r"[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit_xml(plan: str, verdicts: Sequence[Verdict], accidents: Sequence[Reason]) -> str:
    """Return one test case per verdict, and one for the run itself.

    The run's own case errs when it was stopped, cut short or never got past its baseline, so that
    CI is red whenever the exit code is not 0.
    """
    suite = ET.Element("testsuite", name=f"doorbuster {plan}", time="0", skipped="0")
    run_case = ET.SubElement(
        suite, "testcase", classname=f"{plan}.run", name="the run itself", time="0"
    )
    if accidents:
        message = "; ".join(reason.sentence for reason in accidents)
        _child(run_case, "error", message, kind="run")
    for verdict in verdicts:
        _case(suite, plan, verdict)
    suite.set("tests", str(len(verdicts) + 1))
    suite.set("failures", str(len(suite.findall("testcase/failure"))))
    suite.set("errors", str(len(suite.findall("testcase/error"))))
    ET.indent(suite)
    return ET.tostring(suite, encoding="unicode", xml_declaration=True) + "\n"


def _case(suite: ET.Element, plan: str, verdict: Verdict) -> None:
    classname = f"{plan}.{verdict.kind}"
    case = ET.SubElement(
        suite, "testcase", classname=classname, name=_clean(verdict.name), time="0"
    )
    if verdict.ruling == "fail":
        _child(case, "failure", verdict.evidence, kind=verdict.kind)
    elif verdict.ruling == "unknown":
        _child(case, "error", verdict.evidence, kind=verdict.kind)
    if verdict.ruling == "pass" or verdict.witnesses:
        lines = [verdict.evidence, *(str(witness) for witness in verdict.witnesses)]
        ET.SubElement(case, "system-out").text = _clean("\n".join(lines))


def _child(case: ET.Element, tag: str, message: str, *, kind: str) -> None:
    text = _clean(message)
    ET.SubElement(case, tag, message=text, type=kind).text = text


def _clean(text: str) -> str:
    """Leave out the characters that XML 1.0 cannot hold."""
    return _FORBIDDEN.sub("", text)
