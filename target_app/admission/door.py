"""The door: counts who is inside and turns away who is one too many."""

import random
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext

import msgspec
from starlette.types import ASGIApp, Receive, Scope, Send

from target_app.admission.body import BODYLESS, BoundedBody, bytes_max
from target_app.admission.limit import Limit
from target_app.admission.priorities import Priority, priority_of
from target_app.admission.standing import StandingQueue
from target_app.metrics import Metrics
from target_app.settings import StorefrontSettings

CLAIMS_YIELD_AT = 0.75
"""Part of the patience with a queue; browsing yields at half of it, checkouts at all of it."""

RETRY_AFTER_MS = (1000, 3000)
"""Between these, by lot."""


def limits_of(settings: StorefrontSettings) -> dict[Priority, Limit]:
    """Return each priority's limit.

    At their least, checkouts leave most connections to the payments of what is already held, and
    browsing leaves most of the rest.
    """
    pool_size, patience_s = settings.pool_size, settings.queue_patience_s
    browsing, checkouts = settings.max_browsing, settings.max_checkouts
    payments = settings.max_payments
    return {
        Priority.BROWSE: Limit(
            browsing, least=min(browsing, 1 + pool_size // 10), yields_at_s=patience_s / 2
        ),
        Priority.CLAIM: Limit(
            checkouts,
            least=min(checkouts, 1 + pool_size // 10),
            yields_at_s=CLAIMS_YIELD_AT * patience_s,
        ),
        Priority.CHECKOUT: Limit(
            checkouts, least=min(checkouts, 1 + pool_size // 4), yields_at_s=patience_s
        ),
        Priority.PAYMENT: Limit(payments, least=payments, yields_at_s=None),
    }


class Admission:
    """The limits of one replica, kept up to date by the waits for its database."""

    def __init__(self, limits: Mapping[Priority, Limit]) -> None:
        self.limits = limits
        self._queue = StandingQueue(self._adapt)

    def waited(self, wait_s: float) -> None:
        self._queue.waited(wait_s, at_s=time.monotonic())

    @contextmanager
    def inside(self, priority: Priority) -> Iterator[None]:
        limit = self.limits[priority]
        limit.in_flight += 1
        try:
            yield
        finally:
            limit.in_flight -= 1

    def _adapt(self, standing_s: float) -> None:
        for limit in self.limits.values():
            limit.adapt(standing_s)


class Door:
    """ASGI middleware in front of everything that costs more than a glance at the path."""

    def __init__(
        self, app: ASGIApp, *, admission: Admission, metrics: Metrics, body_within_s: float
    ) -> None:
        self._app = app
        self._admission = admission
        self._metrics = metrics
        self._body_within_s = body_within_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        method, path = scope["method"], scope["path"]
        priority = priority_of(method, path)
        if priority is not None and self._admission.limits[priority].is_reached():
            self._metrics.shed.labels(priority).inc()
            await turn_away(send)
            return
        if method not in BODYLESS:
            receive = BoundedBody(receive, within_s=self._body_within_s, bytes_max=bytes_max(path))
        with nullcontext() if priority is None else self._admission.inside(priority):
            await self._app(scope, receive, send)


async def turn_away(send: Send) -> None:
    """Answer 429 without having looked at the request's body."""
    retry_after_ms = random.randint(*RETRY_AFTER_MS)
    retry_after_s = str(-(-retry_after_ms // 1000)).encode()
    body = msgspec.json.encode(
        {
            "type": "/problems/shed",
            "title": "Shed",
            "status": 429,
            "code": "shed",
            "reason": "overload",
            "retry_after_ms": retry_after_ms,
        }
    )
    headers = [
        (b"content-type", b"application/problem+json"),
        (b"content-length", str(len(body)).encode()),
        (b"retry-after", retry_after_s),
        # Browsers that wanted a page heed this one only.
        (b"refresh", retry_after_s),
    ]
    await send({"type": "http.response.start", "status": 429, "headers": headers})
    await send({"type": "http.response.body", "body": body})
