"""Around everything: time and request id in each answer, each answer in metrics and log."""

import logging
import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from target_app.instants import rfc3339_now
from target_app.logs import NOTES, request_id
from target_app.metrics import Metrics
from target_app.serving import Drain

log = logging.getLogger(__name__)


class Stamp:
    """ASGI middleware without a task of its own for each request, which would cost more."""

    def __init__(self, app: ASGIApp, *, metrics: Metrics, drain: Drain) -> None:
        self._app = app
        self._metrics = metrics
        self._drain = drain

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        began_s = time.perf_counter()
        notes = _notes(scope)
        request_id_sent = notes["request_id"].encode()
        token = NOTES.set(notes)
        status = 0

        async def stamped(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = message["headers"]
                headers.append((b"x-server-time", rfc3339_now().encode()))
                headers.append((b"x-request-id", request_id_sent))
                if self._drain.begun:
                    # Whoever keeps this connection would find it closed in the next moment.
                    headers.append((b"connection", b"close"))
            await send(message)

        try:
            await self._app(scope, receive, stamped)
        finally:
            self._count(scope, status, time.perf_counter() - began_s)
            NOTES.reset(token)

    def _count(self, scope: Scope, status: int, duration_s: float) -> None:
        route = route_of(scope)
        method = scope["method"]
        self._metrics.count_request(method, route, status=status, duration_s=duration_s)
        if (method != "GET" and status != 429) or status >= 500:
            # Not the path: who knows that of a ticket has the place in the line.
            log.info("%s %s %d in %.1f ms", method, route, status, duration_s * 1000)


def route_of(scope: Scope) -> str:
    """Return the route that a request took, with the names of its parts in place of the parts."""
    return str(getattr(scope.get("route"), "path", "unmatched"))


def _notes(scope: Scope) -> dict[str, str]:
    """Return what the log may say about a request before it is understood."""
    key = given = None
    for name, value in scope["headers"]:
        if name == b"idempotency-key":
            key = value
        elif name == b"x-request-id":
            given = value
    notes = {"request_id": request_id(given)}
    if key is not None:
        notes["key"] = key[:255].decode("latin-1")
    path = scope["path"]
    if path.startswith("/v1/orders/"):
        notes["order_id"] = path.split("/", 4)[3]
    return notes
