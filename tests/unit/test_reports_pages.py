"""What a review writes: verdicts, summary, JUnit, Markdown and the page."""

import json
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import msgspec
import pytest

from doorbuster.rundir import RunDirectory
from doorbuster.verdicts import Verdict
from reports.exits import Reason
from reports.pages.junit import junit_xml
from reports.review import check, review
from tests.unit.reports_fixture import event, write_run


@pytest.fixture(scope="module")
def passed(tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    run = write_run(tmp_path_factory.mktemp("runs") / "fixture" / "20261123T090000Z")
    assert review(run).exit_code == 0
    return run


@pytest.fixture(scope="module")
def failed(tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    """A run whose ledger lost the newest orders, and whose shop could not count."""
    run = write_run(tmp_path_factory.mktemp("runs") / "fixture" / "20261123T100000Z")
    orders = run.ledger / "orders.ndjson"
    lines = orders.read_text().splitlines(keepends=True)
    orders.write_text("".join(lines[:-3]))
    add_events(run, event("note", "point", "<script>alert(1)</script>", 41.0))
    text = run.journal.read_text().replace('"rows":361', '"rows":358')
    run.journal.write_text(text)
    assert review(run).exit_code == 1
    return run


def add_events(run: RunDirectory, *events: Any) -> None:
    with run.journal.open("ab") as journal:
        for line in events:
            journal.write(msgspec.json.encode(line) + b"\n")


def page(run: RunDirectory) -> str:
    return (run.path / "report.html").read_text()


def test_a_run_as_planned_passes_everything(passed: RunDirectory) -> None:
    document = json.loads(passed.verdicts.read_bytes())
    assert {v["ruling"] for v in document["verdicts"]} == {"pass"}
    assert len(document["verdicts"]) == 12 + 4
    assert (document["schema"], document["overall"], document["exit_codes"]) == (1, "pass", [0])


def test_reviewing_again_gives_the_same_verdicts(failed: RunDirectory) -> None:
    before = (failed.verdicts.read_bytes(), failed.summary.read_bytes())
    review(failed)
    assert (failed.verdicts.read_bytes(), failed.summary.read_bytes()) == before


def test_checking_writes_nothing(passed: RunDirectory) -> None:
    before = {path: path.stat().st_mtime_ns for path in passed.path.rglob("*")}
    assert check(passed).exit_code == 0
    assert {path: path.stat().st_mtime_ns for path in passed.path.rglob("*")} == before


def test_the_summary_holds_figures_recovery_and_loss(passed: RunDirectory) -> None:
    summary = json.loads(passed.summary.read_bytes())
    assert (summary["schema"], summary["plan"], summary["seed"]) == (1, "fixture", 7)
    assert summary["sale"]["confirmed_orders"] == 120
    rush = next(f for f in summary["figures"] if (f["bucket"], f["op"]) == ("rush", "pay"))
    assert rush["counts"]["due"] == 120
    assert rush["intended"]["p99_s"] == pytest.approx(2.05, rel=1e-3)
    faults = {fault["name"]: fault for fault in summary["recovery"]}
    assert faults["postgres failover"]["split_s"]["detection"] == 2.0
    assert summary["rpo"][0]["orders"] == 0


def test_the_page_says_the_verdict_first_and_needs_no_network(passed: RunDirectory) -> None:
    text = page(passed)
    body = text.split("<body>")[1]
    assert body.index("<strong>Passed</strong>") < body.index("What happened")
    assert "offered 500, started 500, missed 0; lateness p99 0.8 ms" in body
    outside_scripts = re.sub(r"<script>.*?</script>", "", text, flags=re.DOTALL)
    assert not re.search(r"\b(?:src|href)=|@import|url\(", outside_scripts)
    assert "default-src 'none'" in text
    assert len(text.encode()) < 3_000_000


def test_the_page_draws_what_there_is_evidence_for(passed: RunDirectory) -> None:
    titles = re.findall(r"<h3>(.*?)</h3>", page(passed))
    assert titles[:2] == ["Shoppers arriving each second", "What became of their operations"]
    assert {"Latency of reserve", "Latency of pay", "Stock left", "Replication lag"} <= set(titles)


def test_the_page_of_a_failure_names_what_and_who(failed: RunDirectory) -> None:
    text = page(failed)
    assert "<strong>Failed</strong>" in text
    assert "3 of 120 confirmed orders (297.00) are not in the ledger" in text
    assert re.search(r"order_id O-\d+, client_ref fixture-\d+-1, user_ref U-\d+", text)
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert "<script>alert" not in text


def test_the_markdown_has_the_worst_first_and_is_short(failed: RunDirectory) -> None:
    text = (failed.path / "summary.md").read_text()
    assert text.startswith("## Failed: `fixture` (seed 7)")
    rulings = re.findall(r"^\| (\*\*fail\*\*|\*\*unknown\*\*|pass) \|", text, re.MULTILINE)
    checks = rulings[:8]
    assert checks == sorted(checks, key=["**fail**", "**unknown**", "pass"].index)
    assert len(text) < 6000


def test_junit_agrees_with_the_exit_code(failed: RunDirectory, passed: RunDirectory) -> None:
    bad = ET.fromstring((failed.path / "junit.xml").read_text())
    good = ET.fromstring((passed.path / "junit.xml").read_text())
    assert int(bad.attrib["failures"]) > 0
    assert (good.attrib["failures"], good.attrib["errors"], good.attrib["tests"]) == (
        "0",
        "0",
        "17",
    )


VERDICTS = [
    Verdict("sound", "invariant", "pass", "fine"),
    Verdict("open", "invariant", "unknown", "unread"),
    Verdict('p99(pay) < "1"', "budget", "fail", "too \x00slow <really>"),
]


def test_junit_maps_rulings_and_skips_nothing() -> None:
    suite = ET.fromstring(junit_xml("demo", VERDICTS, [Reason(5, "stopped by hand")]))
    kinds = {
        case.attrib["name"]: [child.tag for child in case if child.tag != "system-out"]
        for case in suite
    }
    assert kinds == {
        "the run itself": ["error"],
        "sound": [],
        "open": ["error"],
        'p99(pay) < "1"': ["failure"],
    }
    assert (suite.attrib["tests"], suite.attrib["failures"], suite.attrib["errors"]) == (
        "4",
        "1",
        "2",
    )
    assert suite.find(".//skipped") is None


BY_HAND = event("stop", "point", "by hand", 24.0)
BROKEN = event("failure", "point", "locust", 24.0, message="exit code 4")
LEFT = event("failure", "point", "clean-up", 24.0, message="port 8000")
CLOSED = event("gate", "point", "baseline", 9.0, passed=False, reason="80% steady")

EXITS = {
    "stopped": ([BY_HAND], 5, [5]),
    "harness failed": ([BROKEN], 4, [4]),
    "clean-up failed": ([LEFT], 6, [6]),
    "stopped and harness failed": ([BY_HAND, BROKEN], 4, [4, 5]),
    "stopped and clean-up failed": ([BY_HAND, LEFT], 6, [5, 6]),
    "gate closed": ([CLOSED], 3, [3]),
}


@pytest.mark.parametrize(("events", "code", "codes"), EXITS.values(), ids=EXITS)
def test_exit_codes(tmp_path: Path, events: list, code: int, codes: list[int]) -> None:
    run = write_run(tmp_path / "fixture" / "1")
    lines = run.journal.read_bytes().splitlines(keepends=True)
    if CLOSED in events:
        lines = [line for line in lines if b'"gate"' not in line]
    run.journal.write_bytes(b"".join(lines))
    add_events(run, *events)
    answer = check(run)
    assert answer.exit_code == code
    assert sorted({reason.exit_code for reason in answer.reasons}) == codes
