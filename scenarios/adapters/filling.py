"""Templates compiled once into functions that put a step's values, escaped, into their holes."""

from collections.abc import Callable, Iterable, Iterator
from json.encoder import encode_basestring_ascii
from operator import attrgetter
from typing import Any, Final
from urllib.parse import quote, quote_plus

import msgspec

from scenarios.adapters.operations import EXTRACTABLE
from scenarios.adapters.templates import RUN_ID, STEP_VALUES, Hole, parts_of
from scenarios.step import Step

Told = dict[str, Any]
"""What the answers of one attempt have told so far, by our names."""

Fill = Callable[[Step, Told], str]
Escape = Callable[[Any], str]
Segment = str | Fill

_EXTRACTABLE: Final = frozenset(EXTRACTABLE)


class Untold(Exception):
    """A request wants a value that no answer has told; its text is the value's name."""


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
    if name in STEP_VALUES:
        return _of_step(name, escape)
    return _of_attempt(name, escape) if name in _EXTRACTABLE else _of_session(name, escape)


def _of_step(name: str, escape: Escape) -> Fill:
    read = attrgetter(name)

    def fill(step: Step, told: Told) -> str:
        value = read(step)
        if value is None and (value := told.get(name)) is None:
            raise ValueError(f"the {step.op} request wants {{{name}}}, which this step has not")
        return escape(value)

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
    return lambda step, told: form % tuple([fill(step, told) for fill in fills])


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
