"""Shop adapters as files: which requests an operation is, and what each answer means.

Reading and validating only; `shop` compiles an adapter into functions.
"""

from collections.abc import Iterable, Iterator, Sequence
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Final, Self

from pydantic import BeforeValidator, Field, ValidationError, model_validator

from doorbuster.errors import PlanError
from doorbuster.faults import Frozen
from doorbuster.plan.document import dotted, located, parsed, plain, read_text
from doorbuster.plan.wording import expectation, shown
from scenarios.adapters.operations import Operations
from scenarios.adapters.rules import Told
from scenarios.adapters.sources import HeaderName, JsonPath
from scenarios.adapters.step_values import missing_in_all, missing_values
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
    return read_text(path, what="an adapter file in YAML")


def parse_adapter(text: str, *, source: str, columns: Sequence[str] | None = None) -> Adapter:
    """Read an adapter from YAML 1.2 (duplicate keys refused).

    `columns` are those that `{user.COLUMN}` may name; None leaves that to the run.
    """
    document = parsed(text, source=source)
    context = {"told": told_in(document), "columns": columns}
    try:
        adapter = Adapter.model_validate(plain(document), context=context)
    except ValidationError as error:
        raise _refused(_mistakes(error, document), source) from error
    if mistakes := list(_missing(adapter, document)):
        raise _refused(mistakes, source)
    return adapter


def _refused(mistakes: Iterable[tuple[int, str]], source: str) -> PlanError:
    return PlanError("\n".join(f"{source}: {m}" for _, m in sorted(set(mistakes))))


def _missing(adapter: Adapter, document: Any) -> Iterator[tuple[int, str]]:
    """Yield where a request wants a value that the step it is for may be without."""
    found = [
        (("operations", op, *place), text, said)
        for op, mapping in adapter.operations.items()
        for place, text, said in missing_values(op, mapping)
    ]
    for field, headers in (("headers", adapter.headers), ("mark", adapter.mark)):
        found += [
            ((field, *place), text, said)
            for place, text, said in missing_in_all(headers, adapter.operations)
        ]
    for place, text, said in found:
        line = line_of(document, place)
        yield line, f"line {line}: {dotted(place)} = {shown(text)}: {said}"


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
    return located(document, path)[0] or 1


def _mistakes(error: ValidationError, document: Any) -> Iterator[tuple[int, str]]:
    for found in error.errors(include_url=False):
        path = tuple(part for part in found["loc"] if part != "[key]")
        line, value = line_of(document, path), shown(found["input"])
        if found["type"] == "extra_forbidden":
            said = "unknown key"
        elif found["type"] == "missing":
            said = "is missing"
        else:
            said = expectation(found)
        put = f" = {value}" if said.startswith("expected ") and value is not None else ""
        yield line, f"line {line}: {dotted(path)}{put}: {said}"
