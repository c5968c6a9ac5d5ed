"""Requests and answers of the API, without the wire."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from chaos.proxy.errors import ApiError

JSON = "application/json"
GO_ESCAPES = {ord(character): f"\\u{ord(character):04x}" for character in "<>&\u2028\u2029"}


@dataclass(frozen=True)
class Request:
    """One request, with the parts of its path that stand for names."""

    method: str
    path: str
    user_agent: str
    body: bytes
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Answer:
    """Status, body and the headers that are not the same for all."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


def json_answer(status: int, value: object) -> Answer:
    return Answer(status, _encode(value), {"Content-Type": JSON})


def plain_answer(status: int, text: str) -> Answer:
    headers = {"Content-Type": "text/plain; charset=utf-8", "X-Content-Type-Options": "nosniff"}
    return Answer(status, f"{text}\n".encode(), headers)


def refusal(error: ApiError) -> Answer:
    """Return Toxiproxy's answer to what cannot be done: JSON that says it is plain text."""
    return plain_answer(error.status, _encode(refused(error)).decode())


def refused(error: ApiError) -> dict[str, object]:
    return {"error": error.text, "status": error.status}


def _encode(value: object) -> bytes:
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    return text.translate(GO_ESCAPES).encode()
