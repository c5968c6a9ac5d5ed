"""What a step brings along for requests: for each operation what is always there, and the check."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from scenarios.adapters.operations import EXTRACTABLE
from scenarios.adapters.operations import Mapping as OperationMapping
from scenarios.adapters.templates import MAYBE, STEP_VALUES, Hole, parts_of

Place = tuple[str | int, ...]

_OF_EVERY_STEP: Final = frozenset(
    {"sku", "user_ref", "method", "arrival", "channel", "user_type", "key"}
)
_OF_AN_ORDER: Final = frozenset({"client_ref", "order_id"})

_MORE: Final[Mapping[str, frozenset[str]]] = {
    "cart": frozenset({"qty"}),
    "quote": frozenset({"qty"}),
    "reserve": frozenset({"qty", "client_ref"}),
    "pay": _OF_AN_ORDER,
    "cancel": _OF_AN_ORDER,
    "status": _OF_AN_ORDER,
}
_KEYLESS: Final = frozenset({"status"})
"""Asked again and again while an operation is pending, each time a question of its own."""


def always_there(op: str) -> frozenset[str]:
    """Return which of `STEP_VALUES` every step of an operation has."""
    every = _OF_EVERY_STEP - {"key"} if op in _KEYLESS else _OF_EVERY_STEP
    return every | _MORE.get(op, frozenset())


def missing_values(op: str, mapping: OperationMapping) -> Iterator[tuple[Place, str, str]]:
    """Yield place, template and mistake of what an operation's requests want and no step has.

    What answers of the same attempt may have told before is theirs to tell.
    """
    there = set(always_there(op))
    for number, exchange in enumerate(mapping.exchanges):
        inside: Place = ("requests", number) if mapping.requests is not None else ()
        request = exchange.request.model_dump(by_alias=True, exclude_unset=True)
        for place, text in _texts(request, (*inside, "request")):
            for name in _wanted(text, there):
                yield place, text, _mistake(op, name, there)
        for rule in exchange.outcome:
            if rule.then == "next":
                there.update(name for name in rule.extract if name in EXTRACTABLE)


def missing_in_all(
    headers: Mapping[str, str], ops: Iterable[str]
) -> Iterator[tuple[Place, str, str]]:
    """Yield the same of headers that the requests of all operations carry."""
    for header, text in headers.items():
        for op in ops:
            there = always_there(op)
            if names := list(_wanted(text, there)):
                yield (header,), text, _mistake(op, names[0], there)
                break


def _wanted(text: str, there: Iterable[str]) -> Iterator[str]:
    for part in parts_of(text):
        # `{name?}` is no step value by its name, and need not be there.
        if isinstance(part, Hole) and part.name in STEP_VALUES and part.name not in there:
            yield part.name


def _mistake(op: str, name: str, there: Iterable[str]) -> str:
    known = ", ".join(sorted(set(there) & set(STEP_VALUES)))
    return (
        f"a `{op}` may be without {{{name}}}: expected one of {known}, or {{{name}{MAYBE}}}, which "
        "is empty then"
    )


def _texts(node: Any, place: Place) -> Iterator[tuple[Place, str]]:
    if isinstance(node, str):
        yield place, node
    elif isinstance(node, dict):
        for key, value in node.items():
            yield from _texts(value, (*place, key))
    elif isinstance(node, list | tuple):
        for number, value in enumerate(node):
            yield from _texts(value, (*place, number))
