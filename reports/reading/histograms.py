"""Latency logs: HdrHistogram interval lines read as sparse counts.

A line's histogram of 17,000 counters holds a few dozen values; unpacked, ten minutes of a run
would be a gigabyte. So the payload is read as it is packed, into (value, count) pairs, and every
percentile is then a query. The format is HdrHistogram's V2 encoding.
"""

import binascii
import re
import struct
import zlib
from base64 import b64decode
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Final

from doorbuster.errors import DoorbusterError

_INTERVAL: Final = re.compile(r"Tag=([\w.]+),(-?\d+)(?:\.0*)?,[^,]*,[^,]*,(\S+)")
_COMPRESSED: Final = 0x1C849314
_PACKED: Final = 0x1C849313
_HEADER: Final = struct.Struct(">iiiiqqd")


def interval_rows(files: Mapping[Path, Path]) -> Iterator[str]:
    """Yield `tag,second,value_us,count,source` lines of all logs; each whole file has an original.

    The source is the file's name, which is the number of the generator process that wrote it.
    """
    for whole, original in files.items():
        # What is no text becomes a bad line, told like any other.
        with whole.open(encoding="utf-8", errors="replace") as file:
            for number, line in enumerate(file, start=1):
                if line.startswith(("#", '"')) or not line.strip():
                    continue
                try:
                    yield from (f"{row},{original.stem}\n" for row in _rows(line))
                except (ValueError, struct.error, zlib.error, binascii.Error) as error:
                    raise DoorbusterError(f"{original}:{number}: {error}: {line[:80]!r}") from error


def _rows(line: str) -> Iterator[str]:
    match = _INTERVAL.match(line)
    if not match:
        raise ValueError("expected Tag=<tag>,<start>,<length>,<max>,<histogram>")
    tag, second, encoded = match.groups()
    for value, count in counts(encoded):
        yield f"{tag},{second},{value},{count}"


def counts(encoded: str) -> Iterator[tuple[int, int]]:
    """Yield (highest value of the counter, count) for each counter that is not zero."""
    packed = b64decode(encoded, validate=True)
    cookie, length = struct.unpack_from(">ii", packed)
    if cookie != _COMPRESSED:
        raise ValueError(f"unknown histogram encoding {cookie:#x}")
    raw = zlib.decompress(packed[8 : 8 + length])
    cookie, size, _, digits, lowest, _, _ = _HEADER.unpack_from(raw)
    if cookie != _PACKED:
        raise ValueError(f"unknown histogram payload {cookie:#x}")
    largest_resolved = 2 * 10**digits
    sub_bits = (largest_resolved - 1).bit_length()
    unit_bits = max(0, lowest.bit_length() - 1)
    index = 0
    for number in _zigzag(raw[_HEADER.size : _HEADER.size + size]):
        if number < 0:
            index -= number
            continue
        if number:
            yield _highest_value(index, sub_bits, unit_bits), number
        index += 1


@cache
def _highest_value(index: int, sub_bits: int, unit_bits: int) -> int:
    """Return the largest value that counter `index` stands for.

    The first 2^sub_bits counters are one unit wide; each further half of that is twice as wide.
    """
    half_bits = sub_bits - 1
    bucket = max(0, (index >> half_bits) - 1)
    within = index - (bucket << half_bits)
    shift = bucket + unit_bits
    return ((within + 1) << shift) - 1


def _zigzag(packed: bytes) -> Iterator[int]:
    """Yield the numbers of a zig-zag LEB128 sequence; the ninth byte of a number has all 8 bits."""
    number = shift = 0
    for byte in packed:
        if byte & 0x80 and shift < 56:
            number |= (byte & 0x7F) << shift
            shift += 7
            continue
        number |= byte << shift
        yield (number >> 1) ^ -(number & 1)
        number = shift = 0
