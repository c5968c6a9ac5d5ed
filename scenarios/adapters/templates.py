"""Templates: texts whose `{placeholders}` are filled from the step, or from what answers told.

`{name?}` is null in JSON and empty elsewhere for as long as no answer has told it; a request with
any other placeholder that nothing was told for is not sent.
`{{name}}` stands for `{name}` itself, and braces around anything but a name are left alone, so
that GraphQL and JSON texts can be written as they are.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final

from pydantic import AfterValidator, ValidationInfo

RUN_ID: Final = "run_id"

STEP_VALUES: Final = (
    "sku",
    "qty",
    "client_ref",
    "key",
    "order_id",
    "user_ref",
    "method",
    "arrival",
    "channel",
    "user_type",
)
"""What a step brings along."""

USER_COLUMN: Final = re.compile(r"user\.([a-z][a-z0-9_]*)")
"""A column of the users of one's own, which the plan's `traffic.data` names."""

KEY: Final = "key"
MAYBE: Final = "?"
"""Ends the name of a placeholder that need not have been told."""

_PLACEHOLDER: Final = re.compile(r"\{\{([A-Za-z_][\w.]*\??)\}\}|\{([A-Za-z_][\w.]*\??)\}")


@dataclass(frozen=True, slots=True)
class Hole:
    """A place in a template that a value goes into; its name may end with `MAYBE`."""

    name: str


def parts_of(template: str) -> Iterator[str | Hole]:
    """Yield the literal texts and the holes of `template`, in their order."""
    end = 0
    for found in _PLACEHOLDER.finditer(template):
        literal = template[end : found.start()]
        if found[1] is not None:
            literal += "{" + found[1] + "}"
        if literal:
            yield literal
        if found[2] is not None:
            yield Hole(found[2])
        end = found.end()
    if end < len(template):
        yield template[end:]


def names_in(node: Any) -> Iterator[str]:
    """Yield the placeholders anywhere inside a template: a text, or texts in lists and mappings."""
    if isinstance(node, str):
        holes = (part for part in parts_of(node) if isinstance(part, Hole))
        yield from (hole.name.removesuffix(MAYBE) for hole in holes)
    elif isinstance(node, dict):
        for value in node.values():
            yield from names_in(value)
    elif isinstance(node, list | tuple):
        for value in node:
            yield from names_in(value)


def _known_placeholders(template: Any, info: ValidationInfo) -> Any:
    """Refuse a placeholder that nothing fills.

    The context has the names that answers tell, and the users' columns where these are known.
    """
    context = info.context or {}
    known = (*STEP_VALUES, RUN_ID, *context.get("told", ()))
    for name in names_in(template):
        if column := USER_COLUMN.fullmatch(name):
            _require_column(column[1], context.get("columns"))
        elif name not in known:
            raise ValueError(
                f"unknown placeholder {{{name}}}: expected one of {', '.join(known)}, or a name "
                f"that an `extract` gives a value; write {{{{{name}}}}} for the braces themselves"
            )
    return template


def _require_column(name: str, columns: Sequence[str] | None) -> None:
    if columns is not None and name not in columns:
        there = ", ".join(columns) or "none, since the plan has no traffic.data"
        raise ValueError(f"{{user.{name}}}: expected one of the users' columns ({there})")


def _one_line(text: str) -> str:
    if not text.isprintable():
        raise ValueError("expected printable characters only")
    return text


Filled = Annotated[Any, AfterValidator(_known_placeholders)]
"""A template of any shape."""

Text = Annotated[str, AfterValidator(_known_placeholders)]
Line = Annotated[str, AfterValidator(_known_placeholders), AfterValidator(_one_line)]
