"""Probing an adapter: each operation asked once of a running shop, and what its rules made of it.

One unit is reserved, paid and cancelled where the adapter says how. Nothing here is measured.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Protocol

from scenarios.adapter import Adapter, line_of
from scenarios.adapters.answers import ABSENT, READ_AS, Seen, carried, reader
from scenarios.adapters.filling import Told
from scenarios.adapters.judging import Judge, compile_rule
from scenarios.adapters.operations import MAPPED
from scenarios.adapters.rules import Rule
from scenarios.adapters.step_values import always_there
from scenarios.outcome import Answer, Judgement, NoAnswer, Reply, judge_silence, unmapped
from scenarios.shop import Sequence, speak
from scenarios.step import Step

SHOWN_CHARS: Final = 160
NO_SUCH_ITEM: Final = "doorbuster-no-such-item"
NOWHERE: Final = (404, 405, 501)
_OF_AN_ORDER: Final = ("reserve", "pay", "status", "cancel")
Place = tuple[str | int, ...]


class Wire(Protocol):
    """A connection to the shop."""

    def exchange(self, request: bytes) -> Reply: ...


@dataclass(frozen=True)
class Mistake:
    """Something of the adapter that the shop contradicts, and where it stands."""

    place: Place
    message: str

    def at(self, document: Any, source: str) -> str:
        """Return it as one line, as the mistakes of reading are."""
        dotted = ".".join(map(str, self.place))
        return f"{source}: line {line_of(document, self.place)}: {dotted}: {self.message}"


@dataclass
class Findings:
    """What a probe came to."""

    said: list[str] = field(default_factory=list)
    mistakes: list[Mistake] = field(default_factory=list)
    seen: set[Place] = field(default_factory=set)

    def blame(self, place: Place, message: str) -> None:
        mistake = Mistake(place, message)
        if mistake not in self.mistakes:
            self.mistakes.append(mistake)


class Probe:
    """One conversation with a shop through an adapter, every rule watched."""

    def __init__(
        self,
        adapter: Adapter,
        wire: Wire,
        *,
        host: str,
        run_id: str,
        user: Mapping[str, str] | None = None,
    ) -> None:
        self.found = Findings()
        self._adapter = adapter
        self._wire = wire
        self._run_id = run_id
        self._user = user or {}
        self._number = 0
        self._carried: dict[str, Any] = {}
        self._shop = {
            op: self._watched(op, spoken)
            for op, spoken in speak(adapter, host=host, run_id=run_id).items()
        }

    def run(self, sku: str) -> Findings:
        """Go through all operations as a shopper would, then ask for what cannot be had."""
        for op in MAPPED:
            if op not in _OF_AN_ORDER:
                self._look(op, sku)
        reserved = self._ask("reserve", sku, key="first")
        order_id = reserved.extracted.order_id if reserved else None
        if order_id is not None and self._shop["reserve"].repeatable:
            self._repeat(sku, order_id)
        if order_id is not None:
            for op in ("pay", "status", "cancel"):
                self._ask(op, sku, order_id=order_id)
        else:
            self.found.said.append(
                "  nothing was reserved, so pay, status and cancel are not asked"
            )
        self._ask("view", NO_SUCH_ITEM)
        return self.found

    def not_seen(self) -> Iterator[tuple[Place, Rule]]:
        """Yield the rules that no answer matched; that alone is no mistake."""
        for place, rule in _rules_of(self._adapter):
            if place not in self.found.seen:
                yield place, rule

    def ask(self, method: str, request: bytes, judge: Callable[[Reply], Judgement]) -> Judgement:
        """Send one request, as a `Talk` does, and write down both sides."""
        line = request.partition(b"\r\n")[0].decode("ascii", "replace")
        body = request.partition(b"\r\n\r\n")[2].decode("utf-8", "replace")
        self.found.said.append(f"  > {line}{'  ' + _short(body) if body else ''}")
        reply = self._wire.exchange(request)
        judgement = judge(reply)
        self.found.said.append(f"  < {_told(reply)}")
        reason = f" ({judgement.reason})" if judgement.reason else ""
        self.found.said.append(f"    {method} is {judgement.outcome}{reason}")
        return judgement

    def _ask(
        self, op: str, sku: str, *, key: str = "", order_id: str | None = None
    ) -> Judgement | None:
        if op not in self._shop:
            return None
        self.found.said.append(f"{op} {order_id or sku}")
        self._number += 1
        there = always_there(op)  # no more than that: in a run it would be missing
        step = Step(
            id=f"0-{self._number}",
            op=op,
            arrival=0,
            number=self._number,
            persona="probe",
            user_ref=next(iter(self._user.values()), "doorbuster-probe"),
            due_s=0.0,
            sku=sku,
            qty=1 if "qty" in there else None,
            client_ref=f"{self._run_id}-probe" if "client_ref" in there else None,
            key=f"{self._run_id}-{op}-{key or self._number}" if "key" in there else None,
            order_id=order_id,
            user=self._user,
            carried=self._carried,
        )
        found = self._shop[op].perform(step, self)
        if found.reason == "untold":
            self.found.blame(
                ("operations", op), "a request wants a value that no answer before it has told"
            )
        return found

    def _look(self, op: str, sku: str) -> None:
        """Ask for what the plan sells, which has to be there."""
        found = self._ask(op, sku)
        if found and found.outcome == "fail":
            self.found.blame(
                ("operations", op),
                f"{sku}, which the plan sells, is {found.reason}: does its path exist?",
            )

    def _repeat(self, sku: str, order_id: str) -> None:
        """Reserve again under the same key: the shop has to answer with the same order."""
        again = self._ask("reserve", sku, key="first")
        if again and again.outcome == "ok" and again.extracted.order_id != order_id:
            self.found.blame(
                ("idempotency",) if self._adapter.idempotency else ("operations", "reserve"),
                f"the same key made two orders, {order_id} and {again.extracted.order_id}: "
                "expected the place where the shop looks for it",
            )

    def _watched(self, op: str, spoken: Any) -> Sequence:
        """Return the operation with judges that tell which rule it was."""
        assert isinstance(spoken, Sequence), "only files are probed"
        exchanges = self._adapter.operations[op].exchanges
        several = self._adapter.operations[op].requests is not None
        requests = [
            replace(request, judge=self._judge(_outcome_place(op, number, several), e.outcome))
            for number, (request, e) in enumerate(zip(spoken.requests, exchanges, strict=True))
        ]
        return replace(spoken, requests=tuple(requests))

    def _judge(self, place: Place, rules: tuple[Rule, ...]) -> Judge:
        compiled = [compile_rule(rule, self._adapter.problem_code) for rule in rules]

        def judge(step: Step, told: Told, reply: Reply) -> Judgement:
            if isinstance(reply, NoAnswer):
                self.found.blame(place[:-1], f"no answer ({reply.cause}): does the shop run there?")
                return judge_silence(reply)
            seen = Seen(reply)
            for number, rule in enumerate(rules):
                if reply.status in rule.when.statuses and compiled[number].matches(seen):
                    here = (*place, number)
                    self.found.seen.add(here)
                    for name in _unreadable(rule, seen):
                        self._blame_extract((*here, "extract", name), rule, name, reply)
                    return compiled[number].told(seen, step, told)
            self._blame_unmapped(place, reply, step)
            return unmapped(reply.status)

        return judge

    def _blame_extract(self, place: Place, rule: Rule, name: str, reply: Answer) -> None:
        self.found.blame(
            place, f"nothing fitting at {rule.extract[name]} of the answer {_told(reply)}"
        )

    def _blame_unmapped(self, place: Place, reply: Answer, step: Step) -> None:
        if step.sku == NO_SUCH_ITEM:
            message = f"no rule is for the answer about an item that is not there: {_told(reply)}"
        elif reply.status in NOWHERE:
            message = f"{_told(reply)}: does its path exist? no rule is for this answer"
        else:
            message = f"no rule is for the answer {_told(reply)}"
        self.found.blame(place, message)


def _outcome_place(op: str, number: int, several: bool) -> Place:
    return ("operations", op, *(("requests", number) if several else ()), "outcome")


def _rules_of(adapter: Adapter) -> Iterator[tuple[Place, Rule]]:
    for op, mapping in adapter.operations.items():
        several = mapping.requests is not None
        for number, exchange in enumerate(mapping.exchanges):
            for position, rule in enumerate(exchange.outcome):
                yield (*_outcome_place(op, number, several), position), rule


def _unreadable(rule: Rule, seen: Seen) -> list[str]:
    """Return the names of a rule's `extract` whose value is not there or not of its kind."""
    names = []
    for name, source in rule.extract.items():
        value = reader(source)(seen)
        try:
            READ_AS.get(name, carried)(value)
        except ValueError:
            names.append(name)
        else:
            assert value is not ABSENT
    return names


def _told(reply: Reply) -> str:
    if isinstance(reply, NoAnswer):
        return f"no answer: {reply.cause}"
    seen = Seen(reply)
    location = seen.header(b"location")
    where = f" to {location}" if location else ""
    return f"{reply.status}{where} {_short(seen.text)}".rstrip()


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= SHOWN_CHARS else line[: SHOWN_CHARS - 1] + "…"
