"""Shop adapters as files: which requests an operation is, and what each answer means.

Reading and validating only; `shop` compiles an adapter into functions.
"""

from collections.abc import Iterator, Sequence
from importlib import resources
from io import StringIO
from pathlib import Path
from typing import Annotated, Any, Final, Self

from pydantic import BeforeValidator, Field, ValidationError, model_validator
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from doorbuster.errors import PlanError
from doorbuster.faults import Frozen
from scenarios.adapters.operations import Operations
from scenarios.adapters.rules import Told
from scenarios.adapters.sources import HeaderName, JsonPath
from scenarios.adapters.templates import Line

MARK: Final = {"X-Load-Test": "{run_id}"}


class Idempotency(Frozen):
    """Where an operation with an effect carries its key: a header, or a field of its body."""

    header: HeaderName | None = None
    field: Told | None = None

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.header is None) == (self.field is None):
            raise ValueError("expected either `header` or `field`, or the word none")
        return self


def _none_is_a_word(value: Any) -> Any:
    return None if value == "none" else value


class Adapter(Frozen):
    """A shop as an adapter file describes it.

    Args:
        headers: What every request carries.
        mark: What every request carries so that the shop can tell it from real ones.
        idempotency: Where the key goes by which the shop knows a repeated request. Without one,
            or `{key}` in the request, an operation whose outcome is unknown is not tried again.
        problem_code: Where error bodies have a code.
    """

    name: str
    headers: dict[HeaderName, Line] = Field({})
    mark: Annotated[dict[HeaderName, Line], Field(min_length=1)] = MARK
    idempotency: Annotated[Idempotency | None, BeforeValidator(_none_is_a_word)] = None
    problem_code: JsonPath = "$.code"
    operations: Operations


def load_adapter(path: Path | None = None, *, columns: Sequence[str] | None = None) -> Adapter:
    """Read an adapter file, or the reference shop's; `columns` as for `parse_adapter`.

    Raises:
        PlanError: One line per mistake, with line and path.
    """
    if path is None:
        return parse_adapter(reference_text(), source="adapters/reference.yaml")
    return parse_adapter(read_adapter_file(path), source=str(path), columns=columns)


def reference_text() -> str:
    """Return the adapter file of the reference shop."""
    inside = resources.files("scenarios") / "adapters" / "reference.yaml"
    return inside.read_text(encoding="utf-8")


def read_adapter_file(path: Path) -> str:
    """Return the text of an adapter file, or say what is wrong with the path."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise PlanError(f"{path}: {error}; expected an adapter file in YAML") from error


def parse_adapter(text: str, *, source: str, columns: Sequence[str] | None = None) -> Adapter:
    """Read an adapter from YAML 1.2 (duplicate keys refused).

    `columns` are those that `{user.COLUMN}` may name; None leaves that to the run.
    """
    document = parsed(text, source=source)
    context = {"told": told_in(document), "columns": columns}
    try:
        return Adapter.model_validate(_plain(document), context=context)
    except ValidationError as error:
        mistakes = sorted(set(_mistakes(error, document)))
        raise PlanError("\n".join(f"{source}: {m}" for _, m in mistakes)) from error


def parsed(text: str, *, source: str) -> Any:
    """Return the document in `text`, which knows the lines that things stand on."""
    try:
        return YAML(typ="rt").load(StringIO(text))
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise PlanError(f"{source}: line {line}: {error.problem or error.context}") from error
    except YAMLError as error:
        raise PlanError(f"{source}: {error}") from error


def told_in(node: Any) -> tuple[str, ...]:
    """Return the names that the `extract`s anywhere in a document give a value."""
    found: dict[str, None] = {}
    if isinstance(node, dict):
        extract = node.get("extract")
        if isinstance(extract, dict):
            found.update(dict.fromkeys(map(str, extract)))
        node = list(node.values())
    if isinstance(node, list):
        for value in node:
            found.update(dict.fromkeys(told_in(value)))
    return tuple(found)


def line_of(document: Any, path: tuple[str | int, ...]) -> int:
    """Return the line (from 1) of the deepest part of `path` that the document has."""
    line, node = 1, document
    for part in path:
        if not isinstance(node, CommentedMap | CommentedSeq) or part not in (node.lc.data or {}):
            break
        line = int(node.lc.data[part][0]) + 1
        node = node[part]
    return line


def _plain(node: Any) -> Any:
    """Return the document as plain dicts, lists and scalars."""
    if isinstance(node, dict):
        return {str(key): _plain(value) for key, value in node.items()}
    if isinstance(node, list):
        return [_plain(value) for value in node]
    for kind in (bool, int, float, str):
        if isinstance(node, kind):
            return kind(node)
    return node


def _mistakes(error: ValidationError, document: Any) -> Iterator[tuple[int, str]]:
    for found in error.errors(include_url=False):
        path = tuple(part for part in found["loc"] if part != "[key]")
        line, dotted = line_of(document, path), ".".join(map(str, path))
        message = "unknown key" if found["type"] == "extra_forbidden" else found["msg"]
        yield line, f"line {line}: {dotted}: {message.removeprefix('Value error, ')}"
