"""From files to tables: explicit columns, cut last lines left out, bad lines named.

Nothing in the run directory is changed: a file whose last line is cut is copied without it, into a
file without a name, which is gone with the process even if that is killed.
"""

import tempfile
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import duckdb
import msgspec

from doorbuster.errors import DoorbusterError
from doorbuster.ledger import LEDGER_TABLES, PROVIDER_TABLES
from doorbuster.operations import OperationEvent
from doorbuster.rundir import RunDirectory, read_lines, read_records
from doorbuster.series import (
    FunnelSecond,
    GeneratorSecond,
    OperationSecond,
    ProcessSecond,
    ReplicationSecond,
    StockSecond,
)
from reports.reading.columns import read_columns, selected_columns, table_columns
from reports.reading.histograms import interval_rows

TABLES: Final[dict[str, tuple[str, type[msgspec.Struct]]]] = {
    "events": ("operations/*.ndjson", OperationEvent),
    **{name: (f"ledger/{name}.ndjson", record) for name, record in LEDGER_TABLES.items()},
    **{name: (f"provider/{name}.ndjson", record) for name, record in PROVIDER_TABLES.items()},
    "operation_seconds": ("series/operations-*.ndjson", OperationSecond),
    "generator_seconds": ("series/generator-*.ndjson", GeneratorSecond),
    "funnel_seconds": ("series/funnel-*.ndjson", FunnelSecond),
    "stock_seconds": ("series/stock.ndjson", StockSecond),
    "process_seconds": ("series/processes.ndjson", ProcessSecond),
    "replication_seconds": ("series/replication.ndjson", ReplicationSecond),
}
"""Table to the files it is read from and the record that each of their lines holds."""

_LATENCY: Final = """
CREATE TABLE latency AS SELECT * FROM read_csv(
  ?, auto_detect=false, delim=',', header=false,
  columns={'tag': 'VARCHAR', 'second': 'BIGINT', 'value_us': 'BIGINT', 'count': 'BIGINT',
           'source': 'VARCHAR'})
"""


def read_object(path: Path) -> dict[str, Any]:
    """Return what a JSON file holds; no file is an empty object."""
    if not path.exists():
        return {}
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
    except msgspec.MsgspecError as error:
        raise DoorbusterError(f"{path}: {error}") from error


def load(connection: duckdb.DuckDBPyConnection, directory: RunDirectory) -> dict[str, int]:
    """Fill all tables; return the files that ended in an unfinished line, with their number."""
    with ExitStack() as scratch:
        return _load(connection, directory, scratch)


def _load(
    connection: duckdb.DuckDBPyConnection, directory: RunDirectory, scratch: ExitStack
) -> dict[str, int]:
    cut = {directory.journal.name: 1} if is_cut(directory.journal) else {}
    for table, (pattern, record) in TABLES.items():
        connection.execute(f"CREATE TABLE {table} ({table_columns(record)})")
        originals = sorted(path for path in directory.path.glob(pattern) if path.stat().st_size)
        if originals:
            _fill(connection, table, _whole(originals, scratch, cut))
    logs = _whole(sorted(directory.latency.glob("*.hlog")), scratch, cut)
    intervals = _nameless((row.encode() for row in interval_rows(logs)), scratch)
    connection.execute(_LATENCY, [str(intervals)])
    return cut


def is_cut(path: Path) -> bool:
    """Tell whether the last line of `path` has no end."""
    if not path.exists() or not path.stat().st_size:
        return False
    with path.open("rb") as file:
        file.seek(-1, 2)
        return file.read(1) != b"\n"


def _nameless(lines: Iterable[bytes], held: ExitStack) -> Path:
    """Return where `lines` can be read as a file while `held` is open."""
    file = held.enter_context(tempfile.TemporaryFile())  # noqa: SIM115  # `held` closes it
    file.writelines(lines)
    file.flush()
    return Path(f"/dev/fd/{file.fileno()}")


def _whole(originals: list[Path], scratch: ExitStack, cut: dict[str, int]) -> dict[Path, Path]:
    """Return a file of whole lines for each original: itself, or a copy without the cut line."""
    files: dict[Path, Path] = {}
    for original in originals:
        if not is_cut(original):
            files[original] = original
            continue
        lines = read_lines(original)
        cut[f"{original.parent.name}/{original.name}"] = lines.cut
        files[_nameless((line + b"\n" for line in lines.complete), scratch)] = original
    return files


def _fill(connection: duckdb.DuckDBPyConnection, table: str, files: Mapping[Path, Path]) -> None:
    """Read `files`, each whole one in place of its original, into `table`."""
    _, record = TABLES[table]
    query = (
        f"INSERT INTO {table} SELECT {selected_columns(record)} FROM read_json($files, "
        f"format='newline_delimited', columns={read_columns(record)})"
    )
    try:
        connection.execute(query, {"files": [str(path) for path in files]})
    except (duckdb.InvalidInputException, duckdb.ConstraintException) as error:
        for whole, original in files.items():
            _blame(whole, original, record)
        raise DoorbusterError(f"{', '.join(map(str, files.values()))}: {error}") from error


def _blame(whole: Path, original: Path, record: type[msgspec.Struct]) -> None:
    """Raise the error that names the first bad line of the file, if there is one."""
    try:
        for _ in read_records(whole, record):
            pass
    except DoorbusterError as error:
        raise DoorbusterError(str(error).replace(str(whole), str(original))) from error
