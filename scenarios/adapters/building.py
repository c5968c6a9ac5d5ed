"""Requests compiled once: a step goes in, the bytes to send come out."""

import hashlib
import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

from scenarios.adapter import Adapter
from scenarios.adapters.filling import (
    Fill,
    Segment,
    Told,
    Untold,
    form_segments,
    header_part,
    joined,
    json_segments,
    path_part,
    segments_of,
)
from scenarios.adapters.requests import Request
from scenarios.adapters.templates import KEY, Hole, parts_of
from scenarios.step import Step

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"

_SAFE_PATH: Final = re.compile(r"[!-~]+")


class Build(Protocol):
    """Writes the request of a step."""

    def __call__(self, step: Step, told: Told) -> bytes: ...


@dataclass(frozen=True)
class Trace:
    """W3C trace contexts: every step of a run is a trace, each of its requests a span in it."""

    run_id: str
    _spans: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def __call__(self) -> Fill:
        """Return what writes the `traceparent` of the next request."""
        run = hashlib.blake2b(self.run_id.encode(), digest_size=8).hexdigest()
        spans = self._spans

        def fill(step: Step, _told: Told) -> str:
            return f"00-{run}{step.arrival:08x}{step.number:08x}-{next(spans):016x}-01"

        return fill


@dataclass(frozen=True)
class Letterhead:
    """What all requests of one shop have in common."""

    host: str
    run_id: str
    adapter: Adapter
    trace: Trace


class Letter:
    """Writes the requests that a Python class asks for; each carries the mark and a trace."""

    def __init__(self, *, host: str, run_id: str, mark: Mapping[str, str]) -> None:
        self._host = host
        self._trace = Trace(run_id)()
        self._mark = {name: value.replace("{run_id}", run_id) for name, value in mark.items()}

    def __call__(
        self, method: str, path: str, step: Step, *, body: bytes, headers: Mapping[str, str]
    ) -> bytes:
        """Return the bytes of one request.

        Raises:
            ValueError: A path or a header that would not stay what it is meant to be.
        """
        if not path.startswith("/") or not _SAFE_PATH.fullmatch(path):
            raise ValueError(f"path {path!r}: expected / and no spaces; urllib.parse.quote helps")
        lines = {"Host": self._host, "Accept": "*/*", **self._mark, **headers}
        for name, value in lines.items():
            if not value.isprintable() or not value.isascii():
                raise ValueError(f"header {name} = {value!r}: expected printable ASCII")
        lines["traceparent"] = self._trace(step, {})
        if body or method not in ("GET", "HEAD"):
            lines["Content-Length"] = str(len(body))
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        return f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode("ascii") + body


def compile_request(request: Request, head: Letterhead, *, keyed: bool) -> Build:
    """Return what writes `request`; with `keyed`, with the step's idempotency key."""
    adapter = head.adapter
    headers = dict(adapter.headers) | dict(adapter.mark) | dict(request.headers)
    if keyed and adapter.idempotency and adapter.idempotency.header:
        headers.setdefault(adapter.idempotency.header, f"{{{KEY}}}")
    typed, body = _body(with_key(request, adapter) if keyed else request, head.run_id)
    written, trace = joined(_head(request, headers, typed, head)), head.trace()
    if body is None:
        end = "\r\n\r\n" if request.is_safe else "\r\nContent-Length: 0\r\n\r\n"
        return lambda step, told: f"{written(step, told)}{trace(step, told)}{end}".encode()

    def build(step: Step, told: Told) -> bytes:
        content = body(step, told).encode()
        length = f"\r\nContent-Length: {len(content)}\r\n\r\n"
        return f"{written(step, told)}{trace(step, told)}{length}".encode() + content

    return build


def with_key(request: Request, adapter: Adapter) -> Request:
    """Return the request with the key in its body, if that is where the shop wants it."""
    name = adapter.idempotency.field if adapter.idempotency else None
    if name is None:
        return request
    filled: dict[str, Any] = {name: f"{{{KEY}}}"}
    if isinstance(request.content, dict):
        return request.model_copy(update={"content": filled | request.content})
    if request.form is not None:
        return request.model_copy(update={"form": filled | request.form})
    return request


def _head(
    request: Request, headers: dict[str, str], typed: str | None, head: Letterhead
) -> Iterator[Segment]:
    yield f"{request.method} "
    yield from _path(request.path, head)
    yield f" HTTP/1.1\r\nHost: {head.host}\r\n"
    lines = {"Accept": f"{JSON}, */*;q=0.8"}
    if typed:
        lines["Content-Type"] = typed
    for name, value in headers.items():
        for known in [known for known in lines if known.lower() == name.lower()]:
            del lines[known]
        lines[name] = value
    for name, value in lines.items():
        yield f"{name}: "
        yield from segments_of(value, header_part, head.run_id)
        yield "\r\n"
    yield "traceparent: "


def _path(path: str, head: Letterhead) -> Iterator[Segment]:
    """Yield the path; a placeholder that stands alone is a Location, which is one already."""
    (first, *rest) = parts_of(path)
    if isinstance(first, Hole) and not rest:
        yield from segments_of(path, lambda value: path_of_location(str(value), head.host), "")
    else:
        yield from segments_of(path, path_part, head.run_id)


def path_of_location(location: str, host: str) -> str:
    """Return the path of a Location on the shop's own host; another host is not gone to."""
    url = urlsplit(location)
    if url.netloc not in ("", host) or not url.path.startswith("/"):
        raise Untold("location_elsewhere")
    path = f"{url.path}?{url.query}" if url.query else url.path
    if not path.isascii() or not path.isprintable() or " " in path:
        raise Untold("location_unreadable")
    return path


def _body(request: Request, run_id: str) -> tuple[str | None, Fill | None]:
    """Return the body's type and what writes it."""
    if request.content is not None:
        return JSON, joined(json_segments(request.content, run_id))
    if request.form is not None:
        return FORM, joined(form_segments(request.form, run_id))
    if request.body is not None:
        return request.content_type, joined(segments_of(request.body, str, run_id))
    return None, None
