"""An answer as rules look at it: JSON, text, headers and cookies, each read only when asked for."""

import html
import re
from collections.abc import Callable
from typing import Any, Final

import msgspec

from doorbuster.quantities import money_minor
from scenarios.adapters.sources import Source, keys_of
from scenarios.outcome import Answer

ABSENT: Final = object()
"""What stands for a value that is not there; null is one that is."""

_DECODE: Final = msgspec.json.Decoder().decode

_NOT_JSON: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What reading a body raises: it is cut, its texts are not UTF-8, it nests without end."""


class Seen:
    """One answer under the eyes of rules."""

    __slots__ = ("_json", "_text", "answer")

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self._json: Any = None
        self._text: str | None = None

    @property
    def json(self) -> Any:
        """What the body says as JSON, `ABSENT` if it is none."""
        if self._json is None:
            try:
                self._json = _DECODE(self.answer.body)
            except _NOT_JSON:
                self._json = ABSENT
        return self._json

    @property
    def text(self) -> str:
        if self._text is None:
            self._text = self.answer.body.decode("utf-8", "replace")
        return self._text

    def header(self, name: bytes) -> str | None:
        """Return the header with the lower-case `name`."""
        for known, value in self.answer.headers:
            if known.lower() == name:
                return value.decode("latin-1")
        return None

    def cookie(self, name: str) -> str | None:
        """Return the value of the cookie `name` that the answer sets."""
        for known, value in self.answer.headers:
            if known.lower() == b"set-cookie":
                cookie, _, _ = value.decode("latin-1").partition(";")
                set_name, _, content = cookie.partition("=")
                if set_name.strip() == name:
                    return content.strip()
        return None

    @property
    def is_html(self) -> bool:
        return "html" in (self.header(b"content-type") or "")


Read = Callable[[Seen], Any]


def reader(source: Source) -> Read:
    """Return what reads `source` from an answer, or returns `ABSENT`."""
    kind, detail = source.place
    if kind == "json":
        found = at(detail)
    elif kind == "header":
        found = _header(detail)
    elif kind == "cookie":
        found = _cookie(detail)
    elif kind == "location":
        return _matched(_header("location"), detail)
    else:
        return _matched(_page, detail)
    return found if source.match is None else _matched(found, source.match)


def at(path: str) -> Read:
    """Return what reads a JSON path."""
    keys = keys_of(path)
    if len(keys) == 1 and isinstance(keys[0], str):
        (key,) = keys
        return lambda seen: seen.json.get(key, ABSENT) if type(seen.json) is dict else ABSENT

    def read(seen: Seen) -> Any:
        node = seen.json
        for key in keys:
            try:
                node = node[key]
            except (KeyError, IndexError, TypeError):
                return ABSENT
        return node

    return read


def _header(name: str) -> Read:
    lower = name.lower().encode()

    def read(seen: Seen) -> Any:
        found = seen.header(lower)
        return ABSENT if found is None else found

    return read


def _cookie(name: str) -> Read:
    def read(seen: Seen) -> Any:
        found = seen.cookie(name)
        return ABSENT if found is None else found

    return read


def _page(seen: Seen) -> Any:
    return seen.text


def _matched(read: Read, pattern: str) -> Read:
    """Narrow what `read` finds to the first group of `pattern`, or to what matches it."""
    search = re.compile(pattern).search

    def narrowed(seen: Seen) -> Any:
        value = read(seen)
        found = None if value is ABSENT else search(str(value))
        if found is None:
            return ABSENT
        text = found[1] if found.re.groups else found[0]
        if text is None:
            return ABSENT
        return html.unescape(text) if "&" in text and seen.is_html else text

    return narrowed


def _text(value: Any) -> str:
    if type(value) is str and value:
        return value
    if isinstance(value, str | int) and not isinstance(value, bool) and value != "":
        return str(value)
    raise ValueError(f"expected a text, got {_shown(value)}")


def _whole(value: Any) -> int:
    if type(value) is int:
        return value
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,18}", value):
        return int(value)
    raise ValueError(f"expected a whole number, got {_shown(value)}")


def _money(value: Any) -> int:
    """Return minor units: whole numbers are that already, texts are decimal."""
    return money_minor(value) if isinstance(value, str) else _whole(value)


def carried(value: Any) -> Any:
    """Return a value to be carried on: a text, a number or a yes or no, as it came."""
    if isinstance(value, str | int | float) and value != "":
        return value
    raise ValueError(f"expected a value to carry on, got {_shown(value)}")


def _shown(value: Any) -> str:
    return "nothing" if value is ABSENT else repr(value)[:80]


READ_AS: Final[dict[str, Callable[[Any], Any]]] = {
    "order_id": _text,
    "state": _text,
    "amount": _money,
    "available": _whole,
    "reserved": _whole,
    "sold": _whole,
}
"""How values that we have a name for are read; every other one is carried on as it came."""
