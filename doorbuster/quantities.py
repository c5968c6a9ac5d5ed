"""Quantities as people write them in a plan: `10s`, `150/s`, `3%`, `64KB`, `"99.00"`."""

import json
import re
from decimal import Decimal
from types import UnionType
from typing import Annotated, Final, Union, get_args, get_origin

from pydantic import BeforeValidator, PlainSerializer, Strict, WithJsonSchema

_DURATION: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)", re.ASCII)
_SECONDS: Final = {"ms": Decimal("0.001"), "s": Decimal(1), "m": Decimal(60), "h": Decimal(3600)}
_RATE: Final = re.compile(r"(\d+(?:\.\d+)?)/(s|m)", re.ASCII)
_SHARE: Final = re.compile(r"(\d+(?:\.\d+)?)%", re.ASCII)
_BYTES: Final = re.compile(r"(\d+)(B|KB|MB)", re.ASCII)
_UNITS: Final = {"B": 1, "KB": 1000, "MB": 1000_000}
_BYTE_RATE: Final = re.compile(r"(\d+)KB/s", re.ASCII)
_MONEY: Final = re.compile(r"(\d{1,12})\.(\d\d)", re.ASCII)

LONGEST_S: Final = 10_000_000 * 3600
HIGHEST_PER_S: Final = 10_000_000
"""Beyond any rehearsal; they keep what is computed from them finite."""


def duration_s(text: object) -> float:
    """Return the seconds that a text such as `10s`, `500ms`, `2m` or `1h` means."""
    match = _DURATION.fullmatch(text) if isinstance(text, str) else None
    if not match:
        raise ValueError("expected a duration such as 10s, 500ms or 2m")
    seconds = round(float(Decimal(match[1]) * _SECONDS[match[2]]), 6)
    if seconds > LONGEST_S:
        raise ValueError(f"expected a duration of at most {LONGEST_S // 3600}h")
    return seconds


def rate_per_s(text: object) -> float:
    """Return the events per second that a text such as `150/s` or `90/m` means."""
    match = _RATE.fullmatch(text) if isinstance(text, str) else None
    if not match:
        raise ValueError("expected a rate such as 150/s or 90/m")
    rate = float(Decimal(match[1]) / _SECONDS[match[2]])
    if rate > HIGHEST_PER_S:
        raise ValueError(f"expected a rate of at most {HIGHEST_PER_S}/s")
    return rate


def share(text: object) -> float:
    """Return the fraction (0 to 1) that a text such as `3%` means."""
    match = _SHARE.fullmatch(text) if isinstance(text, str) else None
    if not match or Decimal(match[1]) > 100:
        raise ValueError("expected a share from 0% to 100%, such as 3%")
    return float(Decimal(match[1]) / 100)


def bytes_count(text: object) -> int:
    """Return the bytes that a text such as `200B`, `64KB` or `1MB` means."""
    match = _BYTES.fullmatch(text) if isinstance(text, str) else None
    if not match:
        raise ValueError("expected an amount of data such as 200B, 64KB or 1MB")
    return int(match[1]) * _UNITS[match[2]]


def kilobytes_per_s(text: object) -> int:
    """Return the kilobytes per second that a text such as `64KB/s` means; Toxiproxy's unit."""
    match = _BYTE_RATE.fullmatch(text) if isinstance(text, str) else None
    if not match or not int(match[1]):
        raise ValueError("expected whole kilobytes per second, at least one, such as 64KB/s")
    return int(match[1])


def money_minor(text: object) -> int:
    """Return the minor units (cents) that a decimal text such as `"99.00"` means."""
    match = _MONEY.fullmatch(text) if isinstance(text, str) else None
    if not match:
        raise ValueError('expected money as a text with two decimals, such as "99.00"')
    return int(match[1]) * 100 + int(match[2])


def duration_text(seconds: float) -> str:
    """Return the text that `duration_s` reads back as `seconds`."""
    exact = _exact(seconds)
    return f"{_plain(exact)}s" if exact >= 1 or not exact else f"{_plain(exact * 1000)}ms"


def rate_text(per_s: float) -> str:
    return f"{_plain(_exact(per_s))}/s"


def share_text(fraction: float) -> str:
    return f"{_plain(_exact(fraction) * 100)}%"


def bytes_text(count: int) -> str:
    return f"{count}B"


def byte_rate_text(kilobytes_per_s: int) -> str:
    return f"{kilobytes_per_s}KB/s"


def money_text(minor: int) -> str:
    return f"{minor // 100}.{minor % 100:02d}"


def _exact(number: float) -> Decimal:
    """Return the shortest decimal that reads back as `number`, so that a plan survives a copy."""
    return Decimal(repr(number))


def _plain(number: Decimal) -> str:
    """Return `number` without exponent and needless zeros: 100, not 1E+2 or 100.0."""
    return f"{number.normalize():f}"


class Given(str):
    """A text that an environment variable was put into; alone, it may stand for a number."""

    __slots__ = ()


def meant(value: object, annotation: object) -> object:
    """Return the number or truth value that a variable's text is where one is wanted."""
    if not isinstance(value, Given) or not _numeric(annotation):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value


def _numeric(annotation: object) -> bool:
    """Tell whether a type is a number or truth value, bare, annotated or optional."""
    if annotation in (int, float, bool):
        return True
    return get_origin(annotation) in (Annotated, Union, UnionType) and any(
        _numeric(part) for part in get_args(annotation)
    )


def _text(pattern: str, example: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": f"^{pattern}$", "examples": [example]})


Whole = Annotated[int, Strict()]
"""A whole number, written as one: neither `true`, nor `7.0`, nor `"7"`."""

Number = Annotated[float, Strict()]
"""A number, written as one."""

Flag = Annotated[bool, Strict()]
"""`true` or `false`, neither a number nor a text."""

Duration = Annotated[
    float,
    BeforeValidator(duration_s),
    PlainSerializer(duration_text),
    _text(_DURATION.pattern, "10s"),
]
"""Seconds, written `10s`, `500ms`, `2m` or `1h`."""

Rate = Annotated[
    float, BeforeValidator(rate_per_s), PlainSerializer(rate_text), _text(_RATE.pattern, "150/s")
]
"""Events per second, written `150/s` or `90/m`."""

Share = Annotated[
    float, BeforeValidator(share), PlainSerializer(share_text), _text(_SHARE.pattern, "3%")
]
"""A fraction from 0 to 1, written `3%`."""

Bytes = Annotated[
    int, BeforeValidator(bytes_count), PlainSerializer(bytes_text), _text(_BYTES.pattern, "64KB")
]
"""Bytes, written `200B`, `64KB` (64,000) or `1MB`."""

ByteRate = Annotated[
    int,
    BeforeValidator(kilobytes_per_s),
    PlainSerializer(byte_rate_text),
    _text(_BYTE_RATE.pattern, "64KB/s"),
]
"""Kilobytes (1,000 bytes) per second, written `64KB/s`."""

Money = Annotated[
    int, BeforeValidator(money_minor), PlainSerializer(money_text), _text(_MONEY.pattern, "99.00")
]
"""Integer minor units, written `"99.00"`."""
