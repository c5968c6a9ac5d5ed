"""A run cut short at any moment can be reviewed, and is never a pass."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from doorbuster.rundir import RunDirectory
from doorbuster.verdicts import Ruling
from reports.review import check, review
from tests.unit.reports_fixture import write_run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    return write_run(tmp_path_factory.mktemp("runs") / "fixture" / "20261123T090000Z")


@pytest.fixture(scope="module")
def whole_journal(run: RunDirectory) -> bytes:
    return run.journal.read_bytes()


@settings(
    deadline=None, max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(share=st.floats(0, 1, exclude_max=True))
def test_a_journal_cut_anywhere(run: RunDirectory, whole_journal: bytes, share: float) -> None:
    run.journal.write_bytes(whole_journal[: int(share * len(whole_journal))])
    answer = check(run)
    assert answer.exit_code == 4


def test_a_journal_cut_after_each_event_never_passes_what_it_did_not_see(
    run: RunDirectory, whole_journal: bytes
) -> None:
    lines = whole_journal.splitlines(keepends=True)
    for length in range(len(lines)):
        run.journal.write_bytes(b"".join(lines[:length]))
        answer = check(run)
        assert answer.exit_code == 4, length
        if not any(b'"final read"' in line and b'"end"' in line for line in lines[:length]):
            assert answer.overall is not Ruling.PASS, length


@pytest.mark.parametrize("kept", ["plan.json", "journal.ndjson", "operations", "latency", "series"])
def test_the_page_renders_from_whatever_is_left(tmp_path: Path, kept: str) -> None:
    run = write_run(tmp_path / "fixture" / "1")
    for path in run.path.rglob("*"):
        if path.is_file() and path != run.plan and kept not in str(path.relative_to(run.path)):
            path.unlink()
    answer = review(run)
    assert answer.exit_code in (3, 4)
    assert "What this run does not know" in (run.path / "report.html").read_text()
