"""Files that a plan names: recorded series of arrivals, and users; read when the plan is."""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationInfo

SERIES_MAX_S: Final = 86_400
COUNT_MAX: Final = 10_000_000
_HEADER: Final = ["second", "count"]


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
