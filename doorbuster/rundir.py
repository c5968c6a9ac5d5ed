"""The run directory: which file holds what, and the few rules for reading and writing them."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from doorbuster.errors import DoorbusterError, MissingPrerequisite, PlanError
from doorbuster.room import NEEDED_MB, require_room

SCHEMA_VERSION = 1
_ELSEWHERE: Final = "free some, or name a folder that you may write to with --runs"

Record = TypeVar("Record", bound=msgspec.Struct)


@dataclass(frozen=True)
class RunDirectory:
    """Paths of one run; the folders exist once `create` has run."""

    path: Path

    @property
    def plan(self) -> Path:
        return self.path / "plan.json"

    @property
    def environment(self) -> Path:
        return self.path / "environment.json"

    @property
    def journal(self) -> Path:
        return self.path / "journal.ndjson"

    @property
    def operations(self) -> Path:
        return self.path / "operations"

    @property
    def latency(self) -> Path:
        return self.path / "latency"

    @property
    def series(self) -> Path:
        return self.path / "series"

    @property
    def ledger(self) -> Path:
        return self.path / "ledger"

    @property
    def provider(self) -> Path:
        return self.path / "provider"

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    @property
    def verdicts(self) -> Path:
        return self.path / "verdicts.json"

    @property
    def summary(self) -> Path:
        return self.path / "summary.json"

    @property
    def run_id(self) -> str:
        """The run's id: plan and time, unique on a machine; processes and proxies carry it."""
        return f"{self.path.parent.name}-{self.path.name}".lower()

    def create(self) -> None:
        """Make the folders; a run directory that exists already is an error."""
        self.path.mkdir(parents=True, exist_ok=False)
        for folder in (
            self.operations,
            self.latency,
            self.series,
            self.ledger,
            self.provider,
            self.logs,
        ):
            folder.mkdir()


def new_run(runs: Path, plan_name: str) -> RunDirectory:
    """Create `runs/<plan>/<UTC time>/`; the plan's `latest` link and that of all point at it."""
    require_room(_existing(runs), mb_min=NEEDED_MB, remedy=_ELSEWHERE)
    stamp = stamp_now()
    for suffix in ("", *(f"-{n}" for n in range(2, 100))):
        run = RunDirectory(runs / plan_name / (stamp + suffix))
        try:
            run.create()
        except FileExistsError:
            continue
        except OSError as error:
            raise MissingPrerequisite(
                f"cannot make {run.path} ({error.strerror}): {_ELSEWHERE}"
            ) from None
        _point(runs / plan_name / "latest", run.path)
        _point(runs / "latest", run.path)
        return run
    raise DoorbusterError(f"a hundred runs of {plan_name!r} began at one moment under {runs}")


def stamp_now() -> str:
    """Return the UTC time as it stands in a run's path and id.

    To the millisecond: runs of one plan that begin in the same second in different folders, as CI
    jobs do, would have one id, and the first to end would sweep the others away.
    """
    now = datetime.now(UTC)
    return f"{now:%Y%m%dT%H%M%S}{now.microsecond // 1000:03}Z"


def _existing(folder: Path) -> Path:
    """Return the folder, or the deepest one on the way to it that is there."""
    return next(step for step in (folder, *folder.absolute().parents) if step.exists())


def find_run(runs: Path, name: str) -> RunDirectory:
    """Return the run that `name` means: a path, `latest`, or a plan's name (its latest run)."""
    for path in (Path(name), runs / name / "latest", runs / name):
        if (path / "plan.json").is_file():
            return RunDirectory(path.resolve())
    raise PlanError(
        f"run {name!r}: expected the path of a run directory, 'latest', or a plan's name "
        f"under {runs}"
    )


def _point(link: Path, target: Path) -> None:
    """Make `link` point at `target`, replacing an older link in one step."""
    temporary = link.with_name(f".{link.name}.{os.getpid()}")
    temporary.symlink_to(os.path.relpath(target, link.parent))
    temporary.replace(link)


def write_json(path: Path, value: object) -> None:
    """Write `value` (records or plain data) as indented JSON, complete or not at all."""
    plain = msgspec.json.format(msgspec.json.encode(value), indent=2)
    write_whole(path, plain.decode() + "\n")


def write_whole(path: Path, text: str) -> None:
    """Write a file complete or not at all, whoever else writes it at the same time."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        partial.write_text(text, encoding="utf-8")
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


@dataclass(frozen=True)
class Lines:
    """Whole lines of an NDJSON file, and whether an unfinished last line was cut off."""

    complete: tuple[bytes, ...]
    cut: int


def read_lines(path: Path) -> Lines:
    """Return the lines of `path`; no file is no lines; a last line without its end is cut off."""
    if not path.exists():
        return Lines((), 0)
    *complete, rest = path.read_bytes().split(b"\n")
    return Lines(tuple(complete), 1 if rest else 0)


def read_records(path: Path, record: type[Record]) -> Iterator[Record]:
    """Yield the records of an NDJSON file; a bad line that is not the cut last one is an error."""
    decoder = msgspec.json.Decoder(record)
    for number, line in enumerate(read_lines(path).complete, start=1):
        try:
            yield decoder.decode(line)
        except msgspec.MsgspecError as error:
            raise DoorbusterError(f"{path}:{number}: {error}: {line[:120]!r}") from error
