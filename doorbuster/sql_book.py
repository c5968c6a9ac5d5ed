"""A book that is read by SQL: a query for each table, on one read-only snapshot of Postgres."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, get_args
from urllib.parse import urlsplit

import asyncpg
import msgspec

from doorbuster.errors import PlanError, said_by
from doorbuster.run import ReadFailed

CONNECT_BOUND_S: Final = 10.0
QUERY_BOUND_S: Final = 60.0
ROWS_AT_ONCE: Final = 1000

Tables = Mapping[str, type[msgspec.Struct]]


def require_dsn(dsn: str, *, name: str, allow_hosts: tuple[str, ...]) -> str:
    """Return `dsn` if it leads to a host that may be contacted; what it says is not repeated."""
    url = urlsplit(dsn)
    if url.scheme not in ("postgres", "postgresql") or not url.hostname or "host" in url.query:
        raise PlanError(f"target: {name} is not of the form postgresql://USER:PASSWORD@HOST/NAME")
    if url.hostname.lower() not in {host.lower() for host in allow_hosts}:
        raise PlanError(
            f"target: {name} leads to host {url.hostname!r}, which is not in `allow_hosts`: "
            f"{', '.join(allow_hosts)}"
        )
    return dsn


def copy_by_sql(
    dsn: str,
    queries: Mapping[str, str],
    into: Path,
    tables: Tables,
    *,
    on_rows: Callable[[], object] = lambda: None,
) -> int:
    """Write what the queries answer, a file for each table, and return the number of rows.

    `on_rows` is called before each query and every thousand rows: all of it may take long.

    Raises:
        ReadFailed: The database does not answer, a query is wrong, or a row is not what the
            table's rows have to be.
    """
    try:
        return asyncio.run(_copied(dsn, queries, into, tables, on_rows=on_rows))
    except (
        OSError,
        asyncpg.PostgresError,
        asyncpg.InterfaceError,
        asyncpg.InternalClientError,
    ) as error:
        raise ReadFailed(f"by SQL: {said_by(error)}") from error


async def _copied(
    dsn: str,
    queries: Mapping[str, str],
    into: Path,
    tables: Tables,
    *,
    on_rows: Callable[[], object],
) -> int:
    connection = await asyncpg.connect(dsn, timeout=CONNECT_BOUND_S, command_timeout=QUERY_BOUND_S)
    rows = 0
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            for table, query in queries.items():
                on_rows()
                with (into / f"{table}.ndjson.partial").open("wb") as file, _told(table):
                    async for row in connection.cursor(query, prefetch=ROWS_AT_ONCE):
                        file.write(line_of(dict(row), tables[table]))
                        rows += 1
                        if rows % ROWS_AT_ONCE == 0:
                            on_rows()
    finally:
        await connection.close(timeout=CONNECT_BOUND_S)
    for table in queries:
        (into / f"{table}.ndjson.partial").replace(into / f"{table}.ndjson")
    return rows


@contextmanager
def _told(table: str) -> Iterator[None]:
    """Say whose query it was that failed."""
    try:
        yield
    except (asyncpg.PostgresError, msgspec.ValidationError, ValueError) as error:
        raise ReadFailed(f"query of {table}: {error}") from error


def line_of(row: Mapping[str, Any], record: type[msgspec.Struct]) -> bytes:
    """Return a row as a line of its table's file; columns that the table has not stay out.

    Databases have ids that are numbers or UUIDs, times of their own, and whole amounts as decimals.

    Raises:
        ValueError: A column is missing, or holds what its field cannot mean.
    """
    fields = msgspec.structs.fields(record)
    told = {f.name: _as_field(row[f.name], f.type) for f in fields if f.name in row}
    return msgspec.json.encode(msgspec.convert(told, record)) + b"\n"


def _as_field(value: Any, wanted: Any) -> Any:
    kinds = get_args(wanted) or (wanted,)
    if value is None or bool in kinds:
        return value
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError(f"{value} has no zone: expected a timestamptz")
        return value.astimezone(UTC).isoformat()
    if int not in kinds:
        return str(value)
    whole = isinstance(value, Decimal) and value == value.to_integral_value()
    return int(value) if whole else value
