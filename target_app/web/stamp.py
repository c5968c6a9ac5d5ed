"""Around everything: the server's time in each answer, and each answer in the metrics."""

import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from target_app.instants import rfc3339_now
from target_app.metrics import Metrics


class Stamp:
    """ASGI middleware without a task of its own for each request, which would cost more."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        began_s = time.perf_counter()
        status = 0

        async def stamped(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"].append((b"x-server-time", rfc3339_now().encode()))
            await send(message)

        try:
            await self._app(scope, receive, stamped)
        finally:
            self._count(scope, status, time.perf_counter() - began_s)

    def _count(self, scope: Scope, status: int, duration_s: float) -> None:
        route = getattr(scope.get("route"), "path", "unmatched")
        self._metrics.requests.labels(scope["method"], route, status).inc()
        self._metrics.request_duration_s.labels(scope["method"], route).observe(duration_s)
