"""A shop that can be spoken to: an adapter compiled once into functions over bytes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import msgspec

from doorbuster.errors import PlanError
from doorbuster.quantities import money_minor
from scenarios.adapter import PLACEHOLDER, USER_COLUMN, Adapter, Poll, Request, Rule
from scenarios.adapter import Mapping as OperationMapping
from scenarios.outcome import Answer, Extracted, Judgement, NoAnswer, Reply, judge_silence, unmapped
from scenarios.step import Step

Fill = Callable[[Step], Any]
_ABSENT = object()


@dataclass(frozen=True, slots=True)
class SpokenOperation:
    """One operation of a shop: bytes to send, and the meaning of what comes back."""

    method: str
    request: Callable[[Step], bytes]
    judge: Callable[[Reply], Judgement]
    poll: Poll | None


def speak(adapter: Adapter, *, host: str) -> dict[str, SpokenOperation]:
    """Compile every operation of `adapter`; `host` is the value of the Host header."""
    return {
        op: SpokenOperation(
            method=mapping.request.method,
            request=_compile_request(mapping.request, host),
            judge=_compile_rules(mapping, adapter.problem_code),
            poll=mapping.poll,
        )
        for op, mapping in adapter.operations.items()
    }


def _compile_request(request: Request, host: str) -> Callable[[Step], bytes]:
    path = _compile_text(request.path, _path_part)
    headers = [
        (name, _compile_text(value, _header_part)) for name, value in request.headers.items()
    ]
    content = None if request.content is None else _compile_content(request.content)
    always = f" HTTP/1.1\r\nHost: {host}\r\nAccept: application/json\r\n"
    typed = "Content-Type: application/json\r\n" if content else ""
    lengthless = request.method == "GET"

    def build(step: Step) -> bytes:
        body = msgspec.json.encode(content(step)) if content else b""
        lines = "".join(f"{name}: {value(step)}\r\n" for name, value in headers)
        length = "" if lengthless and not body else f"Content-Length: {len(body)}\r\n"
        head = f"{request.method} {path(step)}{always}{typed}{lines}{length}\r\n"
        return head.encode("ascii") + body

    return build


def _path_part(value: str) -> str:
    return quote(value, safe="")


def _header_part(value: str) -> str:
    """Return `value` if it can stand in a header; an id that the shop made up may not."""
    return value if value.isascii() and value.isprintable() else quote(value, safe="")


def _compile_text(template: str, escape: Callable[[str], str]) -> Callable[[Step], str]:
    """Return a function that puts a step's values in place of the `{placeholders}`."""
    parts = PLACEHOLDER.split(template)
    if len(parts) == 1:
        return lambda _step: template
    literals, names = parts[0::2], parts[1::2]

    def fill(step: Step) -> str:
        values = [escape(str(_value(step, name))) for name in names]
        return "".join(x for pair in zip(literals, [*values, ""], strict=True) for x in pair)

    return fill


def _compile_content(node: Any) -> Fill:
    """Return a function that fills a JSON body; a lone placeholder keeps its type."""
    if isinstance(node, dict):
        fields = [(key, _compile_content(value)) for key, value in node.items()]
        return lambda step: {key: fill(step) for key, fill in fields}
    if isinstance(node, list):
        entries = [_compile_content(value) for value in node]
        return lambda step: [fill(step) for fill in entries]
    if isinstance(node, str) and (node.count("{"), node[:1], node[-1:]) == (1, "{", "}"):
        return lambda step: _value(step, node[1:-1])
    if isinstance(node, str):
        return _compile_text(node, str)
    return lambda _step: node


def _value(step: Step, name: str) -> Any:
    if column := USER_COLUMN.fullmatch(name):
        return _column(step, column[1])
    value = getattr(step, name)
    if value is None:
        raise ValueError(f"the {step.op} request wants {{{name}}}, which this step does not have")
    return value


def _column(step: Step, name: str) -> str:
    if name not in step.user:
        columns = ", ".join(step.user) or "none, since the plan has no traffic.data"
        raise PlanError(
            f"the {step.op} request wants {{user.{name}}}: expected one of the users' columns "
            f"({columns})"
        )
    return step.user[name]


def _compile_rules(mapping: OperationMapping, problem_code: str) -> Callable[[Reply], Judgement]:
    by_status: dict[int, list[Rule]] = {}
    for rule in mapping.outcome:
        for status in rule.when.status:
            by_status.setdefault(status, []).append(rule)
    code_path = _keys(problem_code)

    def judge(reply: Reply) -> Judgement:
        if isinstance(reply, NoAnswer):
            return judge_silence(reply)
        rules = by_status.get(reply.status, ())
        body: Any = _ABSENT
        if any(rule.when.code or rule.extract for rule in rules):
            body = _decoded(reply)
        for rule in rules:
            if rule.when.code is None or rule.when.code == _at(body, code_path):
                return _apply(rule, body)
        return unmapped(reply.status)

    return judge


def _decoded(answer: Answer) -> Any:
    try:
        return msgspec.json.decode(answer.body)
    except msgspec.DecodeError:
        return _ABSENT


def _apply(rule: Rule, body: Any) -> Judgement:
    """Return what a matching rule says; an answer without what it should hold is `info`."""
    try:
        extracted = _extract(rule.extract, body) if rule.extract else Extracted()
    except ValueError:
        return Judgement("info", "unreadable", retry=True)
    retry = rule.retry or rule.then == "info"
    return Judgement(rule.then, rule.reason, retry=retry, extracted=extracted)


def _extract(paths: Mapping[Any, str], body: Any) -> Extracted:
    found = {name: _READ_AS[name](_at(body, _keys(path))) for name, path in paths.items()}
    return Extracted(**found)


def _keys(path: str) -> tuple[str, ...]:
    return tuple(path.split(".")[1:])


def _at(body: Any, keys: tuple[str, ...]) -> Any:
    node = body
    for key in keys:
        if not isinstance(node, dict) or key not in node:
            return _ABSENT
        node = node[key]
    return node


def _text(value: Any) -> str:
    if isinstance(value, str | int) and not isinstance(value, bool) and value != "":
        return str(value)
    raise ValueError(f"expected a text, got {value!r}")


def _whole(value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise ValueError(f"expected a whole number, got {value!r}")


def _money(value: Any) -> int:
    """Return minor units: whole numbers are that already, texts are decimal."""
    return money_minor(value) if isinstance(value, str) else _whole(value)


_READ_AS: dict[str, Callable[[Any], Any]] = {
    "order_id": _text,
    "state": _text,
    "amount": _money,
    "available": _whole,
    "reserved": _whole,
    "sold": _whole,
}
