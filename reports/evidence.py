"""The evidence of a run: its files as DuckDB relations, its plan and its journal.

Nothing is decided here. A last line that a kill cut short is left out and counted; any other bad
line is a failure of the harness and names file and line; no file is no rows.
"""

import secrets
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import duckdb
import msgspec
from pydantic import ValidationError

from doorbuster.errors import DoorbusterError
from doorbuster.journal import JournalEvent
from doorbuster.ledger import LEDGER_TABLES, PROVIDER_TABLES
from doorbuster.levels import carries_reference
from doorbuster.plan import Plan
from doorbuster.plan.document import dotted
from doorbuster.plan.wording import expectation
from doorbuster.rundir import RunDirectory, read_records
from reports.reading.derived import derive
from reports.reading.loading import TABLES, load, read_object
from reports.reading.timeline import Timeline


@dataclass(frozen=True)
class Run:
    """A run to ask questions to.

    Args:
        plan_facts: What `plan.json` says beside the plan: its source, overrides and hash.
        cut_lines: File to the number of unfinished lines left out.
    """

    connection: duckdb.DuckDBPyConnection
    run_id: str
    plan: Plan
    plan_facts: Mapping[str, Any]
    environment: Mapping[str, Any]
    journal: Sequence[JournalEvent]
    cut_lines: Mapping[str, int] = field(default_factory=dict)

    def rows(self, query: str, **parameters: Any) -> list[dict[str, Any]]:
        """Return the answer to `query`, row by row."""
        answer = self.connection.execute(query, parameters or None)
        names = [column[0] for column in answer.description or ()]
        return [dict(zip(names, row, strict=True)) for row in answer.fetchall()]

    def row(self, query: str, **parameters: Any) -> dict[str, Any]:
        """Return the one row that `query` answers with."""
        (only,) = self.rows(query, **parameters)
        return only

    @cached_property
    def timeline(self) -> Timeline:
        return Timeline(self.journal)

    @cached_property
    def ledger_unread(self) -> str | None:
        """Why the shop's ledger is no evidence, None when it was read to the end."""
        return self._unread("the shop's ledger", self.timeline.ledger_rows, tuple(LEDGER_TABLES))

    @cached_property
    def provider_unread(self) -> str | None:
        """Why the provider's book is no evidence, None when it was read to the end."""
        rows = self.timeline.provider_rows
        return self._unread("the payment provider's book", rows, tuple(PROVIDER_TABLES))

    @property
    def ledger_was_read(self) -> bool:
        return self.ledger_unread is None

    @property
    def provider_was_read(self) -> bool:
        return self.provider_unread is None

    @property
    def unreferenced(self) -> str | None:
        """Why no order of the books can be found by what was asked for, None when each can."""
        if carries_reference(self.timeline.offers):
            return None
        return "the shop's orders do not carry our references"

    @property
    def unsettled(self) -> str | None:
        """Why what the books lack may still come, None when the shop had come to rest."""
        if self.timeline.quiesced:
            return None
        return "the shop had not come to rest when its books were read"

    def _unread(self, book: str, claimed: int | None, tables: Sequence[str]) -> str | None:
        if claimed is None:
            return f"{book} was never read"
        union = " UNION ALL ".join(f"SELECT count(*) AS n FROM {table}" for table in tables)
        held = self.row(f"SELECT sum(n)::BIGINT AS rows FROM ({union})")["rows"]
        return f"{book} is cut: {held} of {claimed} rows are there" if held < claimed else None


def _mistakes(error: ValidationError) -> Iterator[str]:
    for found in error.errors(include_url=False):
        yield f"{dotted(found['loc']) or 'plan'}: {expectation(found)}"


@contextmanager
def read_run(directory: RunDirectory) -> Iterator[Run]:
    """Yield the evidence in `directory`, which is not changed."""
    if not directory.plan.exists():
        raise DoorbusterError(f"{directory.plan} is not there: expected a run directory")
    plan_facts = read_object(directory.plan)
    try:
        plan = Plan.model_validate(plan_facts.pop("plan", None))
    except ValidationError as error:
        raise DoorbusterError(
            f"{directory.plan}: no plan that this version reads: {'; '.join(_mistakes(error))}"
        ) from error
    with closing(_connect()) as connection:
        cut_lines = load(connection, directory)
        journal = tuple(read_records(directory.journal, JournalEvent))
        derive(connection, plan, referenced=carries_reference(Timeline(journal).offers))
        yield Run(
            connection=connection,
            run_id=directory.run_id,
            plan=plan,
            plan_facts=plan_facts,
            environment=read_object(directory.environment),
            journal=journal,
            cut_lines=cut_lines,
        )


@contextmanager
def run_of(
    plan: Mapping[str, Any],
    journal: Sequence[JournalEvent] = (),
    **tables: Sequence[msgspec.Struct],
) -> Iterator[Run]:
    """Yield a run made of literal rows, by way of the same files that a real run has."""
    with tempfile.TemporaryDirectory(prefix="doorbuster-rows-") as folder:
        directory = RunDirectory(Path(folder) / "literal" / "run")
        directory.create()
        directory.plan.write_bytes(msgspec.json.encode({"schema": 1, "plan": plan}))
        _write_lines(directory.journal, journal)
        for name, rows in tables.items():
            files, _ = TABLES[name]
            _write_lines(directory.path / files.replace("*", "0"), rows)
        with read_run(directory) as run:
            yield run


def _write_lines(path: Path, rows: Sequence[msgspec.Struct]) -> None:
    path.write_bytes(b"".join(msgspec.json.encode(row) + b"\n" for row in rows))


def _connect() -> duckdb.DuckDBPyConnection:
    """Open a database in memory that goes on on disk when there is more than fits.

    The folder for that is made when it is needed, and removed on closing.
    """
    spill = Path(tempfile.gettempdir()) / f"doorbuster-read-{secrets.token_hex(8)}"
    return duckdb.connect(
        ":memory:",
        config={
            "temp_directory": str(spill),
            "memory_limit": "1500MB",
            "autoinstall_known_extensions": "false",
            "preserve_insertion_order": "false",
        },
    )
