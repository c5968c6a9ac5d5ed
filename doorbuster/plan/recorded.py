"""Files that a plan names: recorded series of arrivals, and users; read when the plan is."""

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationInfo

SERIES_MAX_S: Final = 86_400
COUNT_MAX: Final = 10_000_000
USERS_MAX: Final = 5_000_000
_HEADER: Final = ["second", "count"]
_COLUMN: Final = re.compile(r"[a-z][a-z0-9_]{0,40}")


@dataclass(frozen=True)
class Users:
    """Users of one's own: the columns' names, and a row for each user."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def row(self, k: int) -> dict[str, str]:
        """Return the k-th user, beginning again after the last."""
        return dict(zip(self.columns, self.rows[k % len(self.rows)], strict=True))


def folder_of(info: ValidationInfo) -> Path | None:
    """Return the folder that paths are relative to; None when a stored plan is read again."""
    folder = (info.context or {}).get("folder")
    return None if folder is None else Path(folder)


def read_series(path: Path) -> tuple[int, ...]:
    """Return the counts of `path`, second by second; a second that is left out had nobody.

    The first row is second 0, whatever it is called, so that times of day serve as well.
    """
    counts: list[int] = []
    first = 0
    for line, row in _rows(path):
        if line == 1 and [cell.strip() for cell in row] == _HEADER:
            continue
        second, count = _second_and_count(path, line, row)
        first = second if not counts else first
        silent_s = second - first - len(counts)
        if silent_s < 0:
            raise ValueError(f"{path} line {line}: second {second}, expected one after the last")
        if second - first >= SERIES_MAX_S:
            raise ValueError(f"{path} line {line}: expected at most {SERIES_MAX_S:,} seconds")
        counts += [0] * silent_s + [count]
    if not counts:
        raise ValueError(f"{path} has no rows: expected lines of second,count")
    return tuple(counts)


def read_columns(path: Path) -> tuple[str, ...]:
    """Return the names that the first row of a users file gives its columns."""
    return _columns(path, _rows(path))


def read_users(path: Path) -> Users:
    """Return the users in `path`, whose first row names the columns."""
    rows = _rows(path)
    columns = _columns(path, rows)
    users: list[tuple[str, ...]] = []
    for line, row in rows:
        if len(row) != len(columns):
            raise ValueError(
                f"{path} line {line}: {len(row)} cells, expected {len(columns)}: "
                f"{', '.join(columns)}"
            )
        if not row[0].strip():
            raise ValueError(f"{path} line {line}: expected a {columns[0]} in the first column")
        if len(users) == USERS_MAX:
            raise ValueError(f"{path} line {line}: expected at most {USERS_MAX:,} users")
        users.append(tuple(row))
    if not users:
        raise ValueError(f"{path} has no users: expected a row for each below the header")
    return Users(columns, tuple(users))


def _columns(path: Path, rows: Iterator[tuple[int, list[str]]]) -> tuple[str, ...]:
    _, header = next(rows, (1, []))
    columns = tuple(cell.strip() for cell in header)
    if not columns or not all(map(_COLUMN.fullmatch, columns)) or len(set(columns)) < len(columns):
        raise ValueError(
            f"{path} line 1: {','.join(header)!r}, expected the columns' names: small letters, "
            "digits and underscores, none twice"
        )
    return columns


def _second_and_count(path: Path, line: int, row: list[str]) -> tuple[int, int]:
    cells = [cell.strip() for cell in row]
    whole = len(cells) == 2 and all(cell.isascii() and cell.isdecimal() for cell in cells)
    if not whole or len(cells[0]) > 15 or len(cells[1]) > 15 or int(cells[1]) > COUNT_MAX:
        raise ValueError(
            f"{path} line {line}: {','.join(row)!r}, expected second,count: two whole numbers, "
            f"the count at most {COUNT_MAX:,}"
        )
    return int(cells[0]), int(cells[1])


def _rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows that are not empty, each with its line."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader: Any = csv.reader(file, strict=True)
            for row in reader:
                if row:
                    yield reader.line_num, row
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path}: {error}; expected a CSV file") from error
