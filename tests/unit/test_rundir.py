from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from doorbuster import rundir
from doorbuster.errors import DoorbusterError, MissingPrerequisite, PlanError
from doorbuster.rundir import (
    RunDirectory,
    find_run,
    new_run,
    read_lines,
    read_records,
    write_json,
)


class Row(msgspec.Struct, frozen=True):
    second: int


def stored(run: RunDirectory) -> RunDirectory:
    run.plan.write_text("{}")
    return run


def test_a_new_run_has_its_folders_and_is_the_latest(tmp_path: Path) -> None:
    run = new_run(tmp_path / "runs", "tiny")
    assert sorted(p.name for p in run.path.iterdir()) == [
        "latency",
        "ledger",
        "logs",
        "operations",
        "provider",
        "series",
    ]
    assert run.path.parent == tmp_path / "runs" / "tiny"
    for latest in (tmp_path / "runs" / "latest", tmp_path / "runs" / "tiny" / "latest"):
        assert latest.resolve() == run.path


def test_links_stay_right_when_the_folder_moves(tmp_path: Path) -> None:
    run = new_run(tmp_path / "runs", "tiny")
    moved = (tmp_path / "runs").rename(tmp_path / "archive")
    assert (moved / "latest").resolve() == moved / "tiny" / run.path.name


def test_runs_of_one_second_are_kept_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Stopped(datetime):
        @classmethod
        def now(cls, tz: object = None) -> "Stopped":
            return cls(2026, 11, 27, 8, 0, 0, 12_345, tzinfo=UTC)

    monkeypatch.setattr(rundir, "datetime", Stopped)
    found = [new_run(tmp_path, "tiny") for _ in range(3)]
    assert [run.path.name for run in found] == [
        "20261127T080000012Z",
        "20261127T080000012Z-2",
        "20261127T080000012Z-3",
    ]
    assert len({run.run_id for run in found}) == 3
    assert found[0].run_id == "tiny-20261127t080000012z"
    assert (tmp_path / "latest").resolve() == found[2].path


def test_an_existing_run_is_never_written_over(tmp_path: Path) -> None:
    run = new_run(tmp_path, "tiny")
    with pytest.raises(FileExistsError):
        run.create()


def test_a_run_is_found_by_path_by_plan_and_as_the_latest(tmp_path: Path) -> None:
    tiny = stored(new_run(tmp_path, "tiny"))
    other = stored(new_run(tmp_path, "other"))
    assert find_run(tmp_path, str(tiny.path)).path == tiny.path
    assert find_run(tmp_path, "tiny").path == tiny.path
    assert find_run(tmp_path, "latest").path == other.path


@pytest.mark.parametrize("name", ["latest", "tiny", "no/such/folder"])
def test_what_is_no_run_is_refused(tmp_path: Path, name: str) -> None:
    new_run(tmp_path, "tiny")  # without a plan.json it is none yet
    with pytest.raises(PlanError, match=f"run '{name}': expected the path of a run directory"):
        find_run(tmp_path, name)


def test_json_is_complete_or_not_there(tmp_path: Path) -> None:
    path = tmp_path / "summary.json"
    write_json(path, {"rows": 1})
    with pytest.raises(TypeError):
        write_json(path, {"rows": object()})
    assert msgspec.json.decode(path.read_bytes()) == {"rows": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["summary.json"]


@pytest.mark.parametrize(
    ("content", "complete", "cut"),
    [
        (None, (), 0),
        (b"", (), 0),
        (b"one\n", (b"one",), 0),
        (b"one\ntw", (b"one",), 1),
        (b"one\ntwo", (b"one",), 1),
        (b"on", (), 1),
    ],
)
def test_only_a_last_line_without_its_end_is_cut(
    tmp_path: Path, content: bytes | None, complete: tuple[bytes, ...], cut: int
) -> None:
    path = tmp_path / "rows.ndjson"
    if content is not None:
        path.write_bytes(content)
    lines = read_lines(path)
    assert (lines.complete, lines.cut) == (complete, cut)


@pytest.mark.parametrize("bad", [b"", b"{", b'{"second": "one"}', b"{}", b"\xff"])
def test_any_other_bad_line_is_named(tmp_path: Path, bad: bytes) -> None:
    path = tmp_path / "rows.ndjson"
    path.write_bytes(b'{"second":1}\n' + bad + b'\n{"second":3}\n')
    rows = read_records(path, Row)
    assert next(rows) == Row(1)
    with pytest.raises(DoorbusterError, match=r"rows\.ndjson:2: "):
        next(rows)


@pytest.mark.parametrize("place", ["file", "file/runs"])
def test_runs_where_nothing_can_be_written_are_told(place: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(MissingPrerequisite, match=r"cannot make .*: "):
        new_run(tmp_path / place, "tiny")
