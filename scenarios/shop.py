"""A shop that can be spoken to: an adapter compiled once into operations that carry steps out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from scenarios.adapter import Adapter
from scenarios.adapters.building import Build, Letterhead, Trace, compile_request, with_key
from scenarios.adapters.filling import Told, Untold
from scenarios.adapters.judging import Judge, compile_rules
from scenarios.adapters.operations import Mapping as OperationMapping
from scenarios.adapters.operations import Poll
from scenarios.adapters.requests import Exchange
from scenarios.adapters.step_values import always_there
from scenarios.adapters.templates import KEY, names_in
from scenarios.outcome import Extracted, Judgement, Reply
from scenarios.step import Step

UNTOLD = "untold"


class Talk(Protocol):
    """One attempt at a step: what its requests are asked through."""

    def ask(
        self, method: str, request: bytes, judge: Callable[[Reply], Judgement]
    ) -> Judgement: ...


class SpokenOperation(Protocol):
    """One operation of a shop."""

    @property
    def poll(self) -> Poll | None:
        """How it is followed up while it is pending."""

    @property
    def repeatable(self) -> bool:
        """Whether the shop knows a repeated request by its key, so that repeating it is safe."""

    def perform(self, step: Step, talk: Talk) -> Judgement:
        """Make one attempt at `step` and judge it."""


Shop = Mapping[str, SpokenOperation]
"""The operations of a shop by name."""


@dataclass(frozen=True, slots=True)
class SpokenRequest:
    """One request: bytes to send, and the meaning of what comes back."""

    method: str
    is_safe: bool
    build: Build
    judge: Judge


@dataclass(frozen=True, slots=True)
class Sequence:
    """An operation of an adapter file: its requests in a row, until an answer decides."""

    requests: tuple[SpokenRequest, ...]
    poll: Poll | None
    repeatable: bool

    def perform(self, step: Step, talk: Talk) -> Judgement:
        told: Told = {}
        acted = False
        for request in self.requests:
            try:
                built = request.build(step, told)
            except Untold:
                judgement = Judgement("fail", UNTOLD)
                break
            judge = partial(request.judge, step, told)
            judgement = talk.ask(request.method, built, judge)
            if judgement.outcome != "next":
                break
            acted = acted or not request.is_safe
        if acted and judgement.outcome == "fail" and judgement.reason in _UNSENT:
            judgement = Judgement("info", judgement.reason, retry=True)
        elif judgement.outcome == "info" and not acted and self._only_asked(request):
            judgement = Judgement("fail", judgement.reason, retry=True)
        return _telling(judgement, told)

    def _only_asked(self, request: SpokenRequest) -> bool:
        """Whether `request` is a question on the way: not knowing its answer, nothing happened."""
        return request.is_safe and request is not self.requests[-1]


_UNSENT = frozenset({"refused_connection", "not_connected", "untrusted", UNTOLD})
"""Reasons of a request that never left; what went before it may have had an effect all the same."""


def _telling(judgement: Judgement, told: Told) -> Judgement:
    if not told:
        return judgement
    return Judgement(judgement.outcome, judgement.reason, judgement.retry, Extracted(**told))


def speak(adapter: Adapter, *, host: str, run_id: str = "none") -> dict[str, SpokenOperation]:
    """Compile every operation of `adapter`; `host` is the value of the Host header."""
    head = Letterhead(host, run_id, adapter, Trace(run_id))
    return {op: _compiled(op, mapping, head) for op, mapping in adapter.operations.items()}


def _compiled(op: str, mapping: OperationMapping, head: Letterhead) -> Sequence:
    keyed = KEY in always_there(op) and not mapping.exchanges[-1].request.is_safe
    *before, last = mapping.exchanges
    return Sequence(
        requests=(
            *(_request(exchange, head, keyed=False) for exchange in before),
            _request(last, head, keyed=keyed),
        ),
        poll=mapping.poll,
        repeatable=carries_key(mapping, head.adapter),
    )


def _request(exchange: Exchange, head: Letterhead, *, keyed: bool) -> SpokenRequest:
    request = exchange.request
    return SpokenRequest(
        method=request.method,
        is_safe=request.is_safe,
        build=compile_request(request, head, keyed=keyed),
        judge=compile_rules(exchange.outcome, head.adapter.problem_code),
    )


def carries_key(mapping: OperationMapping, adapter: Adapter) -> bool:
    """Tell whether the last request of an operation carries its idempotency key."""
    request = mapping.exchanges[-1].request
    in_header = adapter.idempotency is not None and adapter.idempotency.header is not None
    written = with_key(request, adapter)
    return in_header or KEY in names_in(
        [written.path, written.headers, written.content, written.form, written.body]
    )
