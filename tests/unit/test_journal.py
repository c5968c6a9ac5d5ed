import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from doorbuster.journal import Journal, JournalEvent
from doorbuster.rundir import read_records


def events(path: Path) -> list[JournalEvent]:
    return list(read_records(path, JournalEvent))


def test_an_event_can_be_read_as_soon_as_it_is_recorded(tmp_path: Path) -> None:
    path = tmp_path / "journal.ndjson"
    with Journal(path) as journal:
        written = journal.record("gate", "point", "baseline", passed=True, steady_share=0.95)
        assert events(path) == [written]
    assert written.detail == {"passed": True, "steady_share": 0.95}
    assert datetime.fromisoformat(written.wall).tzinfo == UTC


def test_a_journal_is_continued_not_written_over(tmp_path: Path) -> None:
    path = tmp_path / "journal.ndjson"
    for name in ("first", "second"):
        with Journal(path) as journal:
            journal.record("note", "point", name)
    assert [event.name for event in events(path)] == ["first", "second"]


def interrupted(journal: Journal) -> None:
    with journal.span("stage", "traffic", rate=20.0):
        journal.record("note", "point", "amid")
        raise KeyboardInterrupt


def test_a_span_ends_however_its_body_ends(tmp_path: Path) -> None:
    path = tmp_path / "journal.ndjson"
    with Journal(path) as journal, pytest.raises(KeyboardInterrupt):
        interrupted(journal)
    begin, amid, end = events(path)
    assert [(e.edge, e.name) for e in (begin, end)] == [("begin", "traffic"), ("end", "traffic")]
    assert begin.detail == {"rate": 20.0}
    assert begin.monotonic_s <= amid.monotonic_s <= end.monotonic_s


def test_lines_of_several_threads_stay_whole(tmp_path: Path) -> None:
    path = tmp_path / "journal.ndjson"
    with Journal(path) as journal:

        def write(name: str) -> None:
            for number in range(50):
                journal.record("call", "point", name, number=number, text="x" * 500)

        threads = [threading.Thread(target=write, args=(f"thread-{k}",)) for k in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    found = events(path)
    assert len(found) == 200
    for name in {event.name for event in found}:
        assert [e.detail["number"] for e in found if e.name == name] == list(range(50))
