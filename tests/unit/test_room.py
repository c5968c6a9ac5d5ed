"""Full disks and folders that cannot be written: one sentence, and no fault that stays for it."""

import errno
import os
import sys
from pathlib import Path

import pytest

from chaos.hooks import hooked
from doorbuster.cli.main import run
from doorbuster.cli.rehearse import reviewed_run
from doorbuster.errors import DoorbusterError, MissingPrerequisite
from doorbuster.faults import Hooks
from doorbuster.journal import Journal, JournalEvent
from doorbuster.patient_file import PatientFile
from doorbuster.room import lack_in, require_room
from doorbuster.rundir import RunDirectory, new_run, read_records
from tests.chaos_fakes import FakeApi, FakeJournal, fault, hands

WRITE = os.write


class Disk:
    """Takes so many bytes and no more, until there is room again."""

    def __init__(self, room: int) -> None:
        self.room = room

    def write(self, descriptor: int, lines: bytes) -> int:
        if self.room == 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        taken = WRITE(descriptor, lines[: self.room])
        self.room -= taken
        return taken


@pytest.mark.parametrize("room", [0, 1, 7, 8, 30])
def test_lines_wait_for_room_and_lose_neither_order_nor_whole(
    room: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk, path = Disk(room), tmp_path / "lines"
    monkeypatch.setattr("os.write", disk.write)
    file = PatientFile(path)
    for n in range(5):
        file.append(f"line {n}\n".encode())
    assert str(path) in file.trouble
    disk.room = 1000
    file.append(b"the last\n")
    assert file.trouble == ""
    assert path.read_text() == "line 0\nline 1\nline 2\nline 3\nline 4\nthe last\n"
    file.close()


def test_a_journal_without_room_stops_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Disk(0)
    monkeypatch.setattr("os.write", disk.write)
    with Journal(tmp_path / "journal.ndjson") as journal:
        with journal.span("fault", "payments latency"):
            pass
        assert journal.trouble.endswith("journal.ndjson: No space left on device")
        disk.room = 10_000
        journal.record("stage", "point", "clean")
    monkeypatch.undo()
    events = read_records(tmp_path / "journal.ndjson", JournalEvent)
    assert [event.edge for event in events] == ["begin", "end", "point"]


def test_commands_end_a_fault_without_room_for_their_log(tmp_path: Path) -> None:
    began, ended = tmp_path / "began", tmp_path / "ended"
    kind = Hooks(begin=("touch", str(began)), end=("touch", str(ended)))
    own = hands(FakeApi(), FakeJournal())
    full = type(own)(own.topology, own.api, own.journal, seed=7, logs=Path("/dev/full"))
    gone = type(own)(own.topology, own.api, own.journal, seed=7, logs=tmp_path / "gone" / "log")
    for without_room in (full, gone):
        with hooked(fault("cdn", hooks=kind.model_dump()), kind, without_room):
            assert began.exists()
        assert ended.exists()
        began.unlink()
        ended.unlink()


def test_a_run_needs_a_folder_that_takes_it(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(MissingPrerequisite, match=r"cannot make .*file.*: .*--runs"):
        new_run(tmp_path / "file" / "runs", "tiny")
    with pytest.raises(MissingPrerequisite, match=r"gone: No such file or directory; free some"):
        require_room(tmp_path / "gone", mb_min=1, remedy="free some")
    with pytest.raises(MissingPrerequisite, match=r"MB free and a rehearsal needs \d+ MB: free"):
        require_room(tmp_path, mb_min=10**9, remedy="free some")
    assert not (tmp_path / "gone").exists()


def test_the_machines_lacks_are_told_in_a_sentence_and_ours_with_a_trace(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for error, said in (
        (OSError(errno.ENOSPC, "No space left on device", "/runs/x"), "/runs/x: No space"),
        (OSError(errno.ECONNRESET, "Connection reset"), "Traceback (most recent call last)"),
    ):
        monkeypatch.setattr(
            sys.modules[run.__module__], "app", lambda *_, raised=error, **__: throw(raised)
        )
        assert run(["rehearse"]) == DoorbusterError.exit_code
        assert capsys.readouterr().err.startswith(said)
    assert lack_in(OSError(errno.EROFS, "Read-only file system")) == "Read-only file system"


def throw(error: Exception) -> None:
    raise error


def test_a_run_that_has_gone_has_no_report(tmp_path: Path) -> None:
    with pytest.raises(DoorbusterError, match=r"plan\.json is not there: expected a run directory"):
        reviewed_run(RunDirectory(tmp_path / "gone"))


def test_a_report_without_room_says_how_to_come_by_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = OSError(errno.ENOSPC, "No space left on device")
    monkeypatch.setattr("reports.review.review", lambda _: throw(full))
    with pytest.raises(MissingPrerequisite, match=r"\(No space left on device\): once it can"):
        reviewed_run(RunDirectory(tmp_path))
