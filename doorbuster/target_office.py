"""The back office of a shop elsewhere: nothing is set there; its books are read if it offers them.

A shop elsewhere opens by its own means, and when it has come to rest is the plan's word.
"""

import os
import shutil
import ssl
import time
from collections.abc import Mapping
from pathlib import Path

import httpx

from doorbuster.backoffice import BackOffice, bearer
from doorbuster.clock import Clock
from doorbuster.components import Topology
from doorbuster.errors import PlanError
from doorbuster.ledger import LEDGER_TABLES, PROVIDER_TABLES
from doorbuster.plan import Plan
from doorbuster.plan.target import Book, Target
from doorbuster.run import ReadFailed
from doorbuster.rundir import RunDirectory, read_lines
from doorbuster.sql_book import Tables, copy_by_sql, require_dsn


class TargetOffice(BackOffice):
    """What `stack: external` has for a back office."""

    def __init__(
        self,
        target: Target,
        topology: Topology,
        run: RunDirectory,
        *,
        trust: ssl.SSLContext | None = None,
    ) -> None:
        super().__init__(topology, run, trust=trust)
        self._target = target
        self._secrets = secrets_of(target)
        self._rests_since_s: float | None = None

    def open_sale(self, plan: Plan, clock: Clock) -> None:
        """Leave that to the shop."""

    def is_quiet(self) -> bool:
        """Tell whether it had the time to come to rest that the plan gives it."""
        if self._rests_since_s is None:
            self._rests_since_s = time.monotonic()
        return time.monotonic() - self._rests_since_s >= self._target.settle

    def read_ledger(self) -> int:
        return self._read_book(self._target.ledger, self._run.ledger, LEDGER_TABLES)

    def read_provider(self) -> int:
        return self._read_book(self._target.provider, self._run.provider, PROVIDER_TABLES)

    def _read_book(self, book: Book | None, into: Path, tables: Tables) -> int:
        if book is None:
            raise ReadFailed("the target offers none")
        if book.url is not None:
            token = self._secrets[book.token_env] if book.token_env else ""
            self._client.headers = httpx.Headers(bearer(token))
            return self._read(book.url, into, tables)
        if book.dsn_env is not None:
            dsn = self._secrets[book.dsn_env]
            return copy_by_sql(dsn, book.queries, into, tables, on_rows=self.on_rows)
        return _copied(Path(str(book.folder)), into, tables)


def secrets_of(target: Target) -> dict[str, str]:
    """Return the secrets that the books want, by their variables; no file of the run holds them.

    Raises:
        PlanError: One of them is not set, or leads where nobody may be contacted.
    """
    found: dict[str, str] = {}
    for book in filter(None, (target.ledger, target.provider)):
        for key, name in (("token_env", book.token_env), ("dsn_env", book.dsn_env)):
            if name is None:
                continue
            if name not in os.environ:
                raise PlanError(f"target: {key} {name!r} is not set in the environment")
            found[name] = os.environ[name]
            if key == "dsn_env":
                require_dsn(found[name], name=name, allow_hosts=target.allow_hosts)
    return found


def _copied(folder: Path, into: Path, tables: Mapping[str, object]) -> int:
    """Copy the files of a book and count their rows; the main one has to be there."""
    files = [folder / f"{table}.ndjson" for table in tables]
    if not files[0].is_file():
        raise ReadFailed(f"{files[0]} is not there")
    there = [file for file in files if file.is_file()]
    for file in there:
        shutil.copyfile(file, into / file.name)
    return sum(len(read_lines(into / file.name).complete) for file in there)
