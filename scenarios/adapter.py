"""Shop adapters as files: which request an operation is, and what each response means.

Reading and validating only; `shop` compiles an adapter into functions.
"""

import re
from collections.abc import Iterator
from importlib import resources
from io import StringIO
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, model_validator
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError

from doorbuster.errors import PlanError
from doorbuster.faults import Frozen
from doorbuster.operations import OPERATIONS
from doorbuster.quantities import Duration

Extractable = Literal["order_id", "amount", "state", "available", "reserved", "sold"]

PLACEHOLDERS: Final = (
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
USER_COLUMN: Final = re.compile(r"user\.([a-z][a-z0-9_]*)")
"""A column of the users of one's own, which `traffic.data` names."""

PLACEHOLDER: Final = re.compile(r"\{([^{}]*)\}")
REQUIRED: Final = ("view", "stock", "reserve", "pay", "status")
"""Operations that journeys use; an adapter without one of them cannot be driven."""

ANSWERS: Final[dict[str, Extractable]] = {
    "reserve": "order_id",
    "stock": "available",
    "status": "state",
}
"""What an `ok` of an operation has to tell, for journeys to go on."""

JsonPath = Annotated[str, Field(pattern=r"^\$(\.[A-Za-z_][A-Za-z0-9_-]*)+$")]
Reason = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]


def _known_placeholders(template: Any) -> Any:
    """Refuse a placeholder that nothing fills, anywhere inside a template."""
    if isinstance(template, str):
        for name in PLACEHOLDER.findall(template):
            if name not in PLACEHOLDERS and not USER_COLUMN.fullmatch(name):
                known = ", ".join((*PLACEHOLDERS, "user.COLUMN"))
                raise ValueError(f"unknown placeholder {{{name}}}: expected one of {known}")
    elif isinstance(template, dict):
        for value in template.values():
            _known_placeholders(value)
    elif isinstance(template, list):
        for value in template:
            _known_placeholders(value)
    return template


def _one_line(text: str) -> str:
    if not text.isprintable():
        raise ValueError("expected printable characters only")
    return text


def _statuses(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else (value,)


Template = Annotated[str, AfterValidator(_known_placeholders), AfterValidator(_one_line)]
Status = Annotated[int, Field(ge=200, le=599)]


class Request(Frozen):
    """The HTTP request of an operation; `{sku}` and the like are filled in."""

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
    path: Annotated[Template, Field(pattern=r"^/\S*$")]
    headers: dict[Annotated[str, Field(pattern=r"^[A-Za-z0-9-]+$")], Template] = Field({})
    content: Annotated[Any, AfterValidator(_known_placeholders)] = Field(None, alias="json")


class When(Frozen):
    """Which responses a rule is for: a status or several, and the problem's code if given."""

    status: Annotated[
        tuple[Status, ...],
        BeforeValidator(_statuses),
        Field(min_length=1),
    ]
    code: str | None = None


class Rule(Frozen):
    """What a response means. The first rule that matches decides; without one it is `info`.

    Args:
        when: Which responses it is for.
        then: The outcome; `pending` means that the operation's `poll` finds out.
        reason: Why it failed, or why it is unknown.
        extract: Where in the JSON body our fields are.
        effect_free: The shop promises that such a response changed nothing; a `fail` on a 5xx
            needs it, since a bare one may come from anything on the way.
        retry: Trying a `fail` again can help; `info` is always tried again.
    """

    when: When
    then: Literal["ok", "fail", "info", "pending"]
    reason: Reason | None = None
    extract: dict[Extractable, JsonPath] = Field({})
    effect_free: bool = False
    retry: bool = False

    @model_validator(mode="after")
    def _makes_sense(self) -> "Rule":
        if self.then == "fail" and self.reason is None:
            raise ValueError("a `fail` needs a `reason`")
        if self.then in ("ok", "pending") and self.reason is not None:
            raise ValueError(f"`{self.then}` takes no `reason`")
        if self.then == "fail" and max(self.when.status) >= 500 and not self.effect_free:
            raise ValueError("a 5xx is `fail` only where the shop promises `effect_free: true`")
        if self.then != "fail" and (self.retry or self.effect_free):
            raise ValueError(f"`{self.then}` takes neither `retry` nor `effect_free`")
        return self


class Poll(Frozen):
    """How a pending operation is followed up, and which states of the order are final."""

    operation: Literal["status"] = "status"
    every: Duration = 0.5
    ok: Annotated[tuple[str, ...], Field(min_length=1)]
    fail: dict[str, Reason] = Field({})


class Mapping(Frozen):
    """One operation: its request, the meaning of its responses, and how to follow it up."""

    request: Request
    outcome: Annotated[tuple[Rule, ...], Field(min_length=1)]
    poll: Poll | None = None

    @model_validator(mode="after")
    def _polls_if_pending(self) -> "Mapping":
        if any(rule.then == "pending" for rule in self.outcome) and self.poll is None:
            raise ValueError("a `pending` response needs `poll`")
        return self


def _known(op: str) -> str:
    if op not in OPERATIONS:
        raise ValueError(f"unknown operation: expected one of {', '.join(OPERATIONS)}")
    return op


def _enough(operations: dict[str, Mapping]) -> dict[str, Mapping]:
    missing = [op for op in REQUIRED if op not in operations]
    if missing:
        raise ValueError(f"expected the operations {', '.join(missing)} too")
    for op, name in ANSWERS.items():
        if any(r.then == "ok" and name not in r.extract for r in operations[op].outcome):
            raise ValueError(f"an `ok` of `{op}` has to extract `{name}`, which journeys use")
    return operations


class Adapter(Frozen):
    """A shop as an adapter file describes it; `problem_code` is where error bodies have a code."""

    name: str
    problem_code: JsonPath = "$.code"
    operations: Annotated[
        dict[Annotated[str, AfterValidator(_known)], Mapping],
        AfterValidator(_enough),
    ]


def load_adapter(path: Path | None = None) -> Adapter:
    """Read an adapter file, or the reference shop's.

    Raises:
        PlanError: One line per mistake, with line and path.
    """
    if path is None:
        inside = resources.files("scenarios") / "adapters" / "reference.yaml"
        return parse_adapter(inside.read_text(encoding="utf-8"), source="adapters/reference.yaml")
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise PlanError(f"{path}: {error}; expected an adapter file in YAML") from error
    return parse_adapter(text, source=str(path))


def parse_adapter(text: str, *, source: str) -> Adapter:
    """Read an adapter from YAML 1.2 (duplicate keys refused)."""
    try:
        document = YAML(typ="rt").load(StringIO(text))
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise PlanError(f"{source}: line {line}: {error.problem or error.context}") from error
    try:
        return Adapter.model_validate(_plain(document))
    except ValidationError as error:
        mistakes = sorted(set(_mistakes(error, document)))
        raise PlanError("\n".join(f"{source}: {m}" for _, m in mistakes)) from error


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
        line, node = 1, document
        for part in found["loc"]:
            if not isinstance(node, CommentedMap | CommentedSeq) or part not in (
                node.lc.data or {}
            ):
                break
            line = int(node.lc.data[part][0]) + 1
            node = node[part]
        dotted = ".".join(map(str, found["loc"]))
        message = "unknown key" if found["type"] == "extra_forbidden" else found["msg"]
        yield line, f"line {line}: {dotted}: {message.removeprefix('Value error, ')}"
