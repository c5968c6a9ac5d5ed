"""Operations as an adapter file describes them: one request or several, and how they end."""

from typing import Annotated, Final, Literal, Self, get_args

from pydantic import AfterValidator, Field, model_validator

from doorbuster.faults import Frozen
from doorbuster.operations import OPERATIONS, REQUEST
from doorbuster.quantities import Duration
from scenarios.adapters.requests import Exchange, Request
from scenarios.adapters.rules import Reason, Rule, Rules

Extractable = Literal["order_id", "amount", "state", "available", "reserved", "sold"]
EXTRACTABLE: Final[tuple[Extractable, ...]] = get_args(Extractable)
"""What we have a name for; every other extracted value is carried on as a text."""

MAPPED: Final = tuple(op for op in OPERATIONS if op != REQUEST)
"""Operations that an adapter can have."""

REQUIRED: Final = ("view", "reserve")
"""Operations that every journey uses; an adapter without one of them cannot be driven."""

ANSWERS: Final[dict[str, Extractable]] = {
    "reserve": "order_id",
    "stock": "available",
    "status": "state",
}
"""What an `ok` of an operation has to tell, for journeys to go on."""


class Poll(Frozen):
    """How a pending operation is followed up, and which states of the order are final."""

    operation: Literal["status"] = "status"
    every: Duration = 0.5
    ok: Annotated[tuple[str, ...], Field(min_length=1)]
    fail: dict[str, Reason] = Field({})


class Mapping(Frozen):
    """One operation: its request or requests, the meaning of answers, and how to follow it up."""

    request: Request | None = None
    outcome: Rules | None = None
    requests: Annotated[tuple[Exchange, ...], Field(min_length=2)] | None = None
    poll: Poll | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.request is None) != (self.outcome is None):
            raise ValueError("`request` and `outcome` go together")
        if (self.request is None) == (self.requests is None):
            raise ValueError("expected either `request` and `outcome`, or `requests`")
        return self

    @model_validator(mode="after")
    def _leads_on(self) -> Self:
        *before, last = self.exchanges
        if any(rule.then == "next" for rule in last.outcome):
            raise ValueError("nothing comes after the last request: it cannot be `next`")
        for number, exchange in enumerate(before):
            if all(rule.then != "next" for rule in exchange.outcome):
                raise ValueError(
                    f"requests.{number}: no answer is `next`, so the one after is never sent"
                )
        return self

    @model_validator(mode="after")
    def _polls_if_pending(self) -> Self:
        if any(rule.then == "pending" for rule in self.rules) and self.poll is None:
            raise ValueError("a `pending` response needs `poll`")
        return self

    @property
    def exchanges(self) -> tuple[Exchange, ...]:
        """Its requests in a row."""
        if self.requests is not None:
            return self.requests
        assert self.request is not None, "validated"
        assert self.outcome is not None, "validated"
        return (Exchange(request=self.request, outcome=self.outcome),)

    @property
    def rules(self) -> tuple[Rule, ...]:
        return tuple(rule for exchange in self.exchanges for rule in exchange.outcome)

    def tells(self, name: str) -> bool:
        """Whether every `ok` has told `name`, itself or by all that led on to it."""
        known = False
        for exchange in self.exchanges:
            if any(
                r.then == "ok" and not known and name not in r.extract for r in exchange.outcome
            ):
                return False
            onward = [rule for rule in exchange.outcome if rule.then == "next"]
            known = known or all(name in rule.extract for rule in onward)
        return True


def _known(op: str) -> str:
    if op not in MAPPED:
        raise ValueError(f"unknown operation: expected one of {', '.join(MAPPED)}")
    return op


def _enough(operations: dict[str, Mapping]) -> dict[str, Mapping]:
    missing = [op for op in REQUIRED if op not in operations]
    if missing:
        raise ValueError(f"expected the operations {', '.join(missing)} too")
    if ("queue" in operations) != ("turn" in operations):
        raise ValueError("`queue` and `turn` go together: a place in the line, and asking after it")
    for op, mapping in operations.items():
        if op in ANSWERS and not mapping.tells(ANSWERS[op]):
            raise ValueError(
                f"an `ok` of `{op}` has to extract `{ANSWERS[op]}`, which journeys use"
            )
        if mapping.poll and mapping.poll.operation not in operations:
            raise ValueError(f"`{op}` polls by `{mapping.poll.operation}`, which is missing")
    return operations


Operations = Annotated[
    dict[Annotated[str, AfterValidator(_known)], Mapping], AfterValidator(_enough)
]
