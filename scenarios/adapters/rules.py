"""Rules: which answers they are for, and what such an answer means."""

from typing import Annotated, Any, Final, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from doorbuster.faults import Frozen
from doorbuster.quantities import Flag, Whole
from scenarios.adapters.sources import AnySource, CookieName, HeaderName, JsonPath, Pattern

Reason = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
Told = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
"""The name under which a value is carried on."""

ANY_STATUS: Final = tuple(range(200, 500))
"""What a rule without a status is for: an answer above 499 says nothing by its looks."""

Scalar = str | int | float | bool | None


def _statuses(value: Any) -> Any:
    """Spell out `5xx`, and make one status a list of one."""
    found: list[Any] = []
    for status in value if isinstance(value, list) else [value]:
        if isinstance(status, str) and len(status) == 3 and status.endswith("xx"):
            hundred = int(status[0]) * 100 if status[0].isdecimal() else 0
            found += range(hundred, hundred + 100)
        else:
            found.append(status)
    return tuple(found)


def _wanted(value: Any) -> Any:
    wanted = value if isinstance(value, list) else [value]
    if not wanted or any(not isinstance(entry, Scalar) for entry in wanted):
        raise ValueError("expected a value or a list of values that it may have")
    return tuple(wanted)


Status = Annotated[Whole, Field(ge=200, le=599)]
Wanted = Annotated[tuple[Scalar, ...], BeforeValidator(_wanted)]


class When(Frozen):
    """Which answers a rule is for: all that is given has to hold.

    Args:
        status: One status, several, or `4xx`; without it any below 500.
        code: The problem's code, where the adapter's `problem_code` says.
        header: Patterns by header name.
        location: A pattern in the Location header.
        cookie: Patterns by the name of a cookie that the answer sets.
        json: Values by JSON path; a list means any of them, null also means that it is missing.
        text: A pattern in the body.
    """

    status: (
        Annotated[tuple[Status, ...], BeforeValidator(_statuses), Field(min_length=1)] | None
    ) = None
    code: str | None = None
    header: dict[HeaderName, Pattern] = Field({})
    location: Pattern | None = None
    cookie: dict[CookieName, Pattern] = Field({})
    json_: dict[JsonPath, Wanted] = Field({}, alias="json")
    text: Pattern | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.model_fields_set:
            raise ValueError("expected a status, or something else to know the answer by")
        return self

    @property
    def statuses(self) -> tuple[int, ...]:
        return ANY_STATUS if self.status is None else self.status


class Rule(Frozen):
    """What an answer means. The first rule that matches decides; without one it is `info`.

    Args:
        when: Which answers it is for.
        then: The outcome; `pending` means that the operation's `poll` finds out, `next` that the
            operation's next request goes on.
        reason: Why it failed, or why it is unknown.
        extract: Where in the answer values are: ours by our names, others to be carried on.
        effect_free: The shop promises that such an answer changed nothing; a `fail` on a 5xx
            needs it, since a bare one may come from anything on the way.
        retry: Trying a `fail` again can help; `info` is always tried again.
    """

    when: When
    then: Literal["ok", "fail", "info", "pending", "next"]
    reason: Reason | None = None
    extract: dict[Told, AnySource] = Field({})
    effect_free: Flag = False
    retry: Flag = False

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if self.then == "fail" and self.reason is None:
            raise ValueError("a `fail` needs a `reason`")
        if self.then not in ("fail", "info") and self.reason is not None:
            raise ValueError(f"`{self.then}` takes no `reason`")
        if self.then == "fail" and max(self.when.statuses) >= 500 and not self.effect_free:
            raise ValueError("a 5xx is `fail` only where the shop promises `effect_free: true`")
        if self.then != "fail" and (self.retry or self.effect_free):
            raise ValueError(f"`{self.then}` takes neither `retry` nor `effect_free`")
        return self


def _some(rules: tuple[Rule, ...]) -> tuple[Rule, ...]:
    if not rules:
        raise ValueError("expected at least one rule")
    return rules


Rules = Annotated[tuple[Rule, ...], AfterValidator(_some)]
