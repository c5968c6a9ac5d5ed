"""Rules compiled once: an answer goes in, what it means comes out."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from scenarios.adapters.answers import ABSENT, READ_AS, Read, Seen, at, carried, reader
from scenarios.adapters.filling import Told
from scenarios.adapters.rules import Rule, Scalar, When
from scenarios.adapters.sources import Source, keys_of
from scenarios.outcome import Judgement, NoAnswer, Reply, judge_silence, unmapped
from scenarios.step import Step

UNREADABLE = "unreadable"
_NOTHING: Final[dict[str, Any]] = {}

Holds = Callable[[Seen], bool]
Take = Callable[[Seen, Step, Told], None]

Judge = Callable[[Step, Told, Reply], Judgement]
"""Judges a reply to a step's request, and puts what it tells where the next request finds it."""


@dataclass(frozen=True, slots=True)
class CompiledRule:
    """A rule as functions; `meaning` is what it says of every answer that it matches.

    `fields` are ours that stand at the top of a JSON body, which most do: name, key and conversion.
    """

    conditions: tuple[Holds, ...]
    fields: tuple[tuple[str, str, Callable[[Any], Any]], ...]
    takes: tuple[Take, ...]
    meaning: Judgement

    def matches(self, seen: Seen) -> bool:
        for holds in self.conditions:  # noqa: SIM110 - a generator costs as much as the conditions
            if not holds(seen):
                return False
        return True

    def told(self, seen: Seen, step: Step, told: Told) -> Judgement:
        """Return what a matching rule says; an answer without what it should hold is `info`."""
        try:
            if self.fields:
                body = seen.json
                found = body.get if type(body) is dict else _NOTHING.get
                for name, key, convert in self.fields:
                    told[name] = convert(found(key, ABSENT))
            for take in self.takes:
                take(seen, step, told)
        except ValueError:
            return Judgement("info", UNREADABLE, retry=True)
        return self.meaning


def compile_rules(rules: Sequence[Rule], problem_code: str) -> Judge:
    """Return what judges by the first rule that matches."""
    by_status: dict[int, list[CompiledRule]] = {}
    for rule in rules:
        compiled = compile_rule(rule, problem_code)
        for status in rule.when.statuses:
            by_status.setdefault(status, []).append(compiled)

    def judge(step: Step, told: Told, reply: Reply) -> Judgement:
        if isinstance(reply, NoAnswer):
            return judge_silence(reply)
        seen = Seen(reply)
        for rule in by_status.get(reply.status, ()):
            if rule.matches(seen):
                return rule.told(seen, step, told)
        return unmapped(reply.status)

    return judge


def compile_rule(rule: Rule, problem_code: str) -> CompiledRule:
    retry = rule.retry or rule.then == "info"
    plain = {name: key for name, source in rule.extract.items() if (key := _top_key(name, source))}
    return CompiledRule(
        conditions=tuple(conditions_of(rule.when, problem_code)),
        fields=tuple((name, key, READ_AS[name]) for name, key in plain.items()),
        takes=tuple(_take(n, source) for n, source in rule.extract.items() if n not in plain),
        meaning=Judgement(rule.then, rule.reason, retry=retry),
    )


def _top_key(name: str, source: Source) -> str | None:
    """Return the key of a value of ours at the top of a JSON body, None if it is another one."""
    kind, path = source.place
    keys = keys_of(path) if kind == "json" and source.match is None else ()
    return keys[0] if name in READ_AS and len(keys) == 1 and isinstance(keys[0], str) else None


def conditions_of(when: When, problem_code: str) -> list[Holds]:
    """Return what has to hold besides the status, what is cheap to know first."""
    found = [_is_one_of(at(problem_code), (when.code,))] if when.code is not None else []
    found += [_is_one_of(at(path), wanted) for path, wanted in when.json_.items()]
    found += [_there(Source.of(header=n, match=pattern)) for n, pattern in when.header.items()]
    found += [_there(Source.of(cookie=n, match=pattern)) for n, pattern in when.cookie.items()]
    if when.location is not None:
        found.append(_there(Source.of(location=when.location)))
    if when.text is not None:
        search = re.compile(when.text).search
        found.append(lambda seen: search(seen.text) is not None)
    return found


def _there(source: Source) -> Holds:
    read = reader(source)
    return lambda seen: read(seen) is not ABSENT


def _is_one_of(read: Read, wanted: tuple[Scalar, ...]) -> Holds:
    """Compare with what is wanted; null is also a value that is missing, and 1 is not true."""
    if len(wanted) == 1 and isinstance(wanted[0], str):
        (text,) = wanted
        return lambda seen: bool(read(seen) == text)
    known = {(isinstance(value, bool), value) for value in wanted}

    def holds(seen: Seen) -> bool:
        value = read(seen)
        if value is ABSENT:
            value = None
        return not isinstance(value, dict | list) and (isinstance(value, bool), value) in known

    return holds


def _take(name: str, source: Source) -> Take:
    read = reader(source)
    convert = READ_AS.get(name)
    if convert is not None:

        def tell(seen: Seen, _step: Step, told: Told) -> None:
            told[name] = convert(read(seen))

        return tell

    def carry(seen: Seen, step: Step, _told: Told) -> None:
        step.carried[name] = carried(read(seen))

    return carry
