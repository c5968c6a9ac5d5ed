"""The API of Toxiproxy: what each method on each path does and answers."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from posixpath import normpath
from urllib.parse import quote, unquote

from chaos.proxy.body import parse_array, parse_object
from chaos.proxy.errors import ApiError
from chaos.proxy.messages import (
    JSON,
    Answer,
    Request,
    json_answer,
    plain_answer,
    refusal,
    refused,
)
from chaos.proxy.metrics import Metrics
from chaos.proxy.proxies import Proxies
from chaos.proxy.proxy import Proxy
from chaos.proxy.toxic import Toxic

VERSION = "2.12.0+doorbuster"
"""The Toxiproxy whose API this is; what follows the plus says that it is not that one."""

ANSWER_WITHIN_S = 25.0
"""Only a host name that cannot be resolved takes that long."""
TIMED_OUT = b"<html><head><title>Timeout</title></head><body><h1>Timeout</h1></body></html>"

Handler = Callable[[Request], Awaitable[Answer]]


class Api:
    """Routes requests to the proxies. `*` in a path stands for one name."""

    def __init__(self, proxies: Proxies, metrics: Metrics | None = None) -> None:
        self._proxies = proxies
        self._metrics = metrics
        self._routes: dict[str, dict[str, Handler]] = {
            "/version": {"GET": self._version},
            "/reset": {"POST": self._reset},
            "/populate": {"POST": self._populate},
            "/lease": {
                "GET": self._show_lease,
                "POST": self._renew_lease,
                "DELETE": self._end_lease,
            },
            "/proxies": {"GET": self._list, "POST": self._create},
            "/proxies/*": {
                "GET": self._show,
                "PATCH": self._update,
                "POST": self._update,
                "DELETE": self._delete,
            },
            "/proxies/*/toxics": {"GET": self._list_toxics, "POST": self._add_toxic},
            "/proxies/*/toxics/*": {
                "GET": self._show_toxic,
                "PATCH": self._update_toxic,
                "POST": self._update_toxic,
                "DELETE": self._remove_toxic,
            },
        }

    async def answer(self, request: Request) -> Answer:
        """Answer a request; what cannot be done is an answer too."""
        raw_path, mark, query = request.path.partition("?")
        path = unquote(raw_path)
        if path != _clean(path):
            return Answer(301, headers={"Location": f"{quote(_clean(path))}{mark}{query}"})
        if path == "/metrics" and self._metrics is not None:
            answer = await _ask(self._show_metrics, request)
            return _identified(answer)
        handlers, names = self._route(path)
        if handlers is None:
            return plain_answer(404, "404 page not found")
        if request.method not in handlers:
            return Answer(405)
        return _identified(await _ask(handlers[request.method], replace(request, names=names)))

    def _route(self, path: str) -> tuple[dict[str, Handler] | None, tuple[str, ...]]:
        """Return the handlers by method of a path, if it has any, and the names in it."""
        segments = path.split("/")
        for pattern, handlers in self._routes.items():
            names = _match(pattern.split("/"), segments)
            if names is not None:
                return handlers, names
        return None, ()

    async def _version(self, _: Request) -> Answer:
        body = f'{{"version": "{VERSION}"}}\n'.encode()
        return Answer(200, body, {"Content-Type": f"{JSON};charset=utf-8"})

    async def _show_metrics(self, _: Request) -> Answer:
        assert self._metrics is not None
        return Answer(200, self._metrics.text(), {"Content-Type": self._metrics.content_type})

    async def _show_lease(self, _: Request) -> Answer:
        return json_answer(200, {"ttl_ms": self._lease_left_ms()})

    async def _renew_lease(self, request: Request) -> Answer:
        """Take or renew the lease: all faults lift unless this is asked again in time."""
        ttl_ms = parse_object(request.body).count("ttl_ms")
        if ttl_ms is None:
            raise ApiError(400, "missing required field: ttl_ms")
        self._proxies.lease.start(ttl_ms)
        return json_answer(200, {"ttl_ms": ttl_ms})

    async def _end_lease(self, _: Request) -> Answer:
        """Give the lease back; faults stay until somebody lifts them."""
        self._lease_left_ms()
        self._proxies.lease.stop()
        return Answer(204)

    def _lease_left_ms(self) -> int:
        left_ms = self._proxies.lease.left_ms
        if left_ms is None:
            raise ApiError(404, "lease not found")
        return left_ms

    async def _reset(self, _: Request) -> Answer:
        await self._proxies.reset()
        return Answer(204)

    async def _populate(self, request: Request) -> Answer:
        applied: list[Proxy] = []
        status, told = 201, {}
        try:
            await self._proxies.populate(parse_array(request.body), applied)
        except ApiError as error:
            status, told = error.status, refused(error)
        proxies = [proxy.as_json() for proxy in applied] or None
        return json_answer(status, {**told, "proxies": proxies})

    async def _list(self, _: Request) -> Answer:
        return json_answer(200, {proxy.name: proxy.as_json() for proxy in self._proxies})

    async def _create(self, request: Request) -> Answer:
        proxy = await self._proxies.create(parse_object(request.body))
        return json_answer(201, proxy.as_json())

    async def _show(self, request: Request) -> Answer:
        return json_answer(200, self._proxy(request).as_json())

    async def _update(self, request: Request) -> Answer:
        name = self._proxy(request).name
        proxy = await self._proxies.update(name, parse_object(request.body))
        return json_answer(200, proxy.as_json())

    async def _delete(self, request: Request) -> Answer:
        self._proxies.delete(request.names[0])
        return Answer(204)

    async def _list_toxics(self, request: Request) -> Answer:
        return json_answer(200, [toxic.as_json() for toxic in self._proxy(request).toxics])

    async def _add_toxic(self, request: Request) -> Answer:
        proxy = self._proxy(request)
        taken = {toxic.name for toxic in proxy.toxics}
        toxic = Toxic.parse(parse_object(request.body), taken=taken)
        proxy.add_toxic(toxic)
        return json_answer(200, toxic.as_json())

    async def _show_toxic(self, request: Request) -> Answer:
        return json_answer(200, self._toxic(request).as_json())

    async def _update_toxic(self, request: Request) -> Answer:
        toxic = self._toxic(request).updated(parse_object(request.body))
        self._proxy(request).update_toxic(toxic)
        return json_answer(200, toxic.as_json())

    async def _remove_toxic(self, request: Request) -> Answer:
        self._proxy(request).remove_toxic(self._toxic(request))
        return Answer(204)

    def _proxy(self, request: Request) -> Proxy:
        return self._proxies.get(request.names[0])

    def _toxic(self, request: Request) -> Toxic:
        return self._proxy(request).toxic(request.names[1])


async def _ask(handler: Handler, request: Request) -> Answer:
    # A page that somebody reads in a browser must not be able to break their machine.
    if request.user_agent.startswith("Mozilla/"):
        return plain_answer(403, "User agent not allowed")
    try:
        async with asyncio.timeout(ANSWER_WITHIN_S):
            return await handler(request)
    except ApiError as error:
        return refusal(error)
    except TimeoutError:
        return Answer(503, TIMED_OUT, {"Content-Type": "text/html; charset=utf-8"})


def _identified(answer: Answer) -> Answer:
    # As long as Toxiproxy's own.
    request_id = {"X-Toxiproxy-Request-Id": secrets.token_hex(10)}
    return replace(answer, headers={**answer.headers, **request_id})


def _clean(path: str) -> str:
    """Return the path that a client is sent to for one with empty, `.` or `..` segments."""
    cleaned = normpath(f"/{path.lstrip('/')}")
    return f"{cleaned}/" if path.endswith("/") and cleaned != "/" else cleaned


def _match(pattern: Sequence[str], segments: Sequence[str]) -> tuple[str, ...] | None:
    """Return the names in a path that has this pattern, or None if it has not."""
    if len(pattern) != len(segments):
        return None
    names = []
    for expected, segment in zip(pattern, segments, strict=True):
        if expected == "*" and segment:
            names.append(segment)
        elif expected != segment:
            return None
    return tuple(names)
