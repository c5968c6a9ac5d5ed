"""Templates compiled once into functions that put a step's values, escaped, into their holes."""

from collections.abc import Callable, Iterable, Iterator
from json.encoder import encode_basestring_ascii
from operator import attrgetter, call
from typing import Any, Final
from urllib.parse import quote, quote_plus

import msgspec

from doorbuster.errors import PlanError
from scenarios.adapters.operations import EXTRACTABLE
from scenarios.adapters.templates import (
    MAYBE,
    RUN_ID,
    STEP_VALUES,
    USER_COLUMN,
    Hole,
    parts_of,
)
from scenarios.step import Step

Told = dict[str, Any]
"""What the answers of one attempt have told so far, by our names."""

Fill = Callable[[Step, Told], str]
Escape = Callable[[Any], str]
Segment = str | Fill

_EXTRACTABLE: Final = frozenset(EXTRACTABLE)


class Untold(Exception):
    """A request wants a value that neither step nor answers have; its text is the value's name."""


def path_part(value: Any) -> str:
    return quote(str(value), safe="")


def header_part(value: Any) -> str:
    """Return `value` if it can stand in a header; an id that the shop made up may not."""
    text = str(value)
    return text if text.isascii() and text.isprintable() else quote(text, safe="")


def form_part(value: Any) -> str:
    return quote_plus(_worded(value))


def json_value(value: Any) -> str:
    if type(value) is str:
        return encode_basestring_ascii(value)
    if type(value) is int:
        return str(value)
    return msgspec.json.encode(value).decode()


def _inside_json_text(value: Any) -> str:
    return encode_basestring_ascii(str(value))[1:-1]


def _worded(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def segments_of(template: str, escape: Escape, run_id: str) -> Iterator[Segment]:
    """Yield a template's literal texts, as they are, and functions that fill its holes."""
    for part in parts_of(template):
        if isinstance(part, str):
            yield part
        elif part.name == RUN_ID:
            yield escape(run_id)
        else:
            yield filled(part.name, escape)


def filled(name: str, escape: Escape) -> Fill:
    """Return what looks up `name` when a request is built."""
    if name.endswith(MAYBE):
        nothing = "null" if escape is json_value else ""
        return _if_told(filled(name.removesuffix(MAYBE), escape), nothing)
    if name in STEP_VALUES:
        return OfStep(name, escape)
    if column := USER_COLUMN.fullmatch(name):
        return _of_user(column[1], escape)
    return _of_attempt(name, escape) if name in _EXTRACTABLE else _of_session(name, escape)


def _if_told(fill: Fill, nothing: str) -> Fill:
    def fill_if_told(step: Step, told: Told) -> str:
        try:
            return fill(step, told)
        except Untold:
            return nothing

    return fill_if_told


class OfStep:
    """Looks up what the step brings along; several at once are looked up in one go."""

    def __init__(self, name: str, escape: Escape) -> None:
        self.name = name
        self.escape = escape
        self._read = attrgetter(name)

    def __call__(self, step: Step, told: Told) -> str:
        value = self._read(step)
        if value is None and (value := told.get(self.name)) is None:
            raise Untold(self.name)
        return self.escape(value)


def _of_user(name: str, escape: Escape) -> Fill:
    def fill(step: Step, _told: Told) -> str:
        if name not in step.user:
            columns = ", ".join(step.user) or "none, since the plan has no traffic.data"
            raise PlanError(
                f"the {step.op} request wants {{user.{name}}}: expected one of the users' columns "
                f"({columns})"
            )
        return escape(step.user[name])

    return fill


def _of_attempt(name: str, escape: Escape) -> Fill:
    def fill(_step: Step, told: Told) -> str:
        if name not in told:
            raise Untold(name)
        return escape(told[name])

    return fill


def _of_session(name: str, escape: Escape) -> Fill:
    def fill(step: Step, _told: Told) -> str:
        if name not in step.carried:
            raise Untold(name)
        return escape(step.carried[name])

    return fill


def joined(segments: Iterable[Segment]) -> Fill:
    """Return what writes all segments in a row, by one format string."""
    segments = list(segments)
    fills = [segment for segment in segments if not isinstance(segment, str)]
    if not fills:
        text = "".join(map(str, segments))
        return lambda _step, _told: text
    form = "".join(s.replace("%", "%%") if isinstance(s, str) else "%s" for s in segments)

    if len(fills) == 1:
        only = fills[0]
        return lambda step, told: form % (only(step, told),)

    def write(step: Step, told: Told) -> str:
        return form % tuple([fill(step, told) for fill in fills])

    of_step = [fill for fill in fills if isinstance(fill, OfStep)]
    return _quickly(form, of_step, write) if len(of_step) == len(fills) else write


def _quickly(form: str, fills: list[OfStep], write: Fill) -> Fill:
    """Return a `write` that looks all values up at once, and leaves it to `write` if one lacks."""
    read: Callable[[Step], tuple[Any, ...]] = attrgetter(*(fill.name for fill in fills))
    escapes = [fill.escape for fill in fills]

    def write_quickly(step: Step, told: Told) -> str:
        values = read(step)
        return write(step, told) if None in values else form % tuple(map(call, escapes, values))

    return write_quickly


def json_segments(node: Any, run_id: str) -> Iterator[Segment]:
    """Yield a JSON body piece by piece; a placeholder that stands alone keeps its value's type."""
    if isinstance(node, dict):
        for number, (key, value) in enumerate(node.items()):
            yield f"{',' if number else '{'}{json_value(key)}:"
            yield from json_segments(value, run_id)
        yield "}" if node else "{}"
    elif isinstance(node, list | tuple):
        for number, value in enumerate(node):
            yield "," if number else "["
            yield from json_segments(value, run_id)
        yield "]" if node else "[]"
    elif isinstance(node, str):
        yield from _json_text(node, run_id)
    else:
        yield json_value(node)


def _json_text(template: str, run_id: str) -> Iterator[Segment]:
    parts = list(parts_of(template))
    if len(parts) == 1 and isinstance(parts[0], Hole):
        yield from segments_of(template, json_value, run_id)
        return
    yield '"'
    for part in parts:
        if isinstance(part, str):
            yield _inside_json_text(part)
        else:
            yield from segments_of(f"{{{part.name}}}", _inside_json_text, run_id)
    yield '"'


def form_segments(fields: dict[str, Any], run_id: str) -> Iterator[Segment]:
    """Yield the fields of a form, urlencoded; a list is a field that comes several times."""
    number = 0
    for name, value in fields.items():
        for entry in value if isinstance(value, list | tuple) else [value]:
            yield f"{'&' if number else ''}{quote_plus(name)}="
            number += 1
            for part in parts_of(_worded(entry)):
                if isinstance(part, str):
                    yield quote_plus(part)
                else:
                    yield from segments_of(f"{{{part.name}}}", form_part, run_id)
