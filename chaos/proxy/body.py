"""Request bodies read as Toxiproxy reads them, which is how Go's `encoding/json` does.

The first JSON value counts and what follows it is ignored, as are unknown members; names match in
any case and the last one wins; null leaves a member unset.
"""

import json
from collections.abc import Mapping
from math import isinf
from struct import pack, unpack
from typing import Any, NoReturn

from chaos.proxy.errors import ApiError

INT64_MAX = 2**63 - 1


class Body:
    """The members of one JSON object."""

    def __init__(self, members: Mapping[str, Any]) -> None:
        self._members = {name.lower(): value for name, value in members.items()}

    def text(self, name: str, default: str) -> str:
        value = self._members.get(name)
        if value is None:
            return default
        return value if isinstance(value, str) else _refuse(name, "a string")

    def flag(self, name: str, *, default: bool) -> bool:
        value = self._members.get(name)
        if value is None:
            return default
        return value if isinstance(value, bool) else _refuse(name, "true or false")

    def number(self, name: str, default: float) -> float:
        value = self._members.get(name)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, int | float):
            _refuse(name, "a number")
        single = _single_precision(value)
        if single is None:
            _refuse(name, "a number of single precision")
        # A client that sent 1 or 1.0 gets 1 back.
        return int(single) if single == int(single) and abs(single) < 1e21 else single

    def count(self, name: str) -> int | None:
        """Return a whole number of things or milliseconds, or None when it is 0 or not given."""
        number = self._integer(name, 0)
        if number < 0:
            raise ApiError(400, f"{name} must be 0 or more, not {number}")
        return number or None

    def says(self, *names: str) -> bool:
        """Whether any of these members is given."""
        return any(self._members.get(name) is not None for name in names)

    def members(self, name: str) -> "Body":
        value = self._members.get(name)
        if value is None:
            return Body({})
        return Body(value) if isinstance(value, dict) else _refuse(name, "an object")

    def integers(self, current: Mapping[str, int]) -> dict[str, int]:
        """Return `current` with the values that are given here; 1.0 and 1e3 are not integers."""
        return {name: self._integer(name, value) for name, value in current.items()}

    def _integer(self, name: str, default: int) -> int:
        value = self._members.get(name)
        if value is None:
            return default
        if (
            isinstance(value, bool)
            or not isinstance(value, int)
            or not -INT64_MAX - 1 <= value <= INT64_MAX
        ):
            _refuse(name, "a 64-bit integer")
        return value


def parse_object(raw: bytes) -> Body:
    return _object(_first_value(raw))


def parse_array(raw: bytes) -> list[Body]:
    value = _first_value(raw)
    if value is None:
        return []
    if not isinstance(value, list):
        _refuse("the body", "an array")
    return [_object(item) for item in value]


def _single_precision(value: float) -> float | None:
    """Return the shortest number that is the same in single precision, or None beyond its range."""
    packed = _packed(value)
    if packed is None:
        return None
    (exact,) = unpack("<f", packed)
    texts = (f"{exact:.{digits}g}" for digits in range(1, 10))
    return next(short for short in map(float, texts) if _packed(short) == packed)


def _packed(value: float) -> bytes | None:
    try:
        return None if isinf(value) else pack("<f", float(value))
    except OverflowError:
        return None


def _object(value: object) -> Body:
    if value is None:
        return Body({})
    return Body(value) if isinstance(value, dict) else _refuse("the body", "an object")


def _first_value(raw: bytes) -> object:
    text = raw.decode(errors="replace").lstrip(" \t\r\n")
    if not text:
        raise ApiError(400, "bad request body: EOF")
    try:
        value, _ = json.JSONDecoder(parse_constant=_constant).raw_decode(text)
    except json.JSONDecodeError as error:
        cut_off = error.pos >= len(text.rstrip()) or error.msg.startswith("Unterminated")
        words = "unexpected EOF" if cut_off else f"{error.msg} at character {error.pos + 1}"
        raise ApiError(400, f"bad request body: {words}") from None
    except RecursionError:
        raise ApiError(400, "bad request body: nested too deeply") from None
    return value


def _constant(name: str) -> NoReturn:
    raise ApiError(400, f"bad request body: {name} is not JSON")


def _refuse(name: str, expected: str) -> NoReturn:
    raise ApiError(400, f"bad request body: {name} must be {expected}")
