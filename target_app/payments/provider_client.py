"""The shop's side of the payment provider: what is asked, and how little an error tells.

Only an answer is an answer. A timeout, a reset or a 5xx may have happened before or after the
charge, so it is `Unknown`, never "failed".
"""

import asyncio
from dataclasses import dataclass
from typing import Any, TypeAlias

import httpx

from target_app.metrics import Metrics

CALLS_AT_ONCE = {"charge": 200, "find": 40, "refund": 10}
"""Bulkheads: however many charges hang, a query still gets through."""

CONNECTIONS = httpx.Limits(
    max_connections=sum(CALLS_AT_ONCE.values()), max_keepalive_connections=50
)


@dataclass(frozen=True)
class Captured:
    """The provider has the money."""

    psp_ref: str
    amount: int


@dataclass(frozen=True)
class Declined:
    """The provider refused, for good."""

    psp_ref: str


@dataclass(frozen=True)
class NeverSeen:
    """The provider knows of no such charge, at this moment: one may still be on its way."""


@dataclass(frozen=True)
class Unknown:
    """Nobody can say."""

    why: str


Finding: TypeAlias = "Captured | Declined | NeverSeen | Unknown"


@dataclass(frozen=True)
class Charge:
    """A charge to make: the same `psp_key` can take money only once."""

    order_id: str
    psp_key: str
    amount: int
    currency: str
    method: str


class ProviderClient:
    """Asks the payment provider, with a deadline for each call as a whole."""

    def __init__(self, http: httpx.AsyncClient, *, timeout_s: float, metrics: Metrics) -> None:
        self._http = http
        self._timeout_s = timeout_s
        self._metrics = metrics
        self._gates = {call: asyncio.Semaphore(n) for call, n in CALLS_AT_ONCE.items()}

    async def charge(self, charge: Charge) -> Captured | Declined | Unknown:
        body = {
            "merchant_ref": charge.order_id,
            "amount": charge.amount,
            "currency": charge.currency,
            "method": charge.method,
            "confirm": True,
        }
        answer = await self._call(
            "charge", "/psp/intents", json=body, headers={"Idempotency-Key": charge.psp_key}
        )
        return answer if isinstance(answer, Unknown) else _finding(answer)

    async def find(self, *, order_id: str, psp_key: str) -> Finding:
        """Ask what became of a charge."""
        answer = await self._call("find", "/psp/intents", params={"merchant_ref": order_id})
        if isinstance(answer, Unknown):
            return answer
        ours = [intent for intent in answer["intents"] if intent["psp_key"] == psp_key]
        return _finding(ours[0]) if ours else NeverSeen()

    async def refund(self, *, psp_ref: str, psp_key: str, amount: int) -> bool:
        """Give the money of a charge back; True once the provider confirms it."""
        answer = await self._call(
            "refund",
            "/psp/refunds",
            json={"intent_id": psp_ref, "amount": amount},
            headers={"Idempotency-Key": f"{psp_key}:refund"},
        )
        return not isinstance(answer, Unknown)

    async def _call(self, call: str, path: str, **request: Any) -> dict[str, Any] | Unknown:
        """Return the body of a 200; anything else leaves us where we were."""
        method = "POST" if "json" in request else "GET"
        try:
            async with asyncio.timeout(self._timeout_s), self._gates[call]:
                response = await self._http.request(method, path, **request)
        except (TimeoutError, httpx.TimeoutException):
            self._metrics.provider_timeouts.inc()
            return self._unknown(call, "timeout")
        except httpx.TransportError as error:
            return self._unknown(call, type(error).__name__)
        if response.status_code != 200:
            return self._unknown(call, f"status {response.status_code}")
        self._metrics.provider_calls.labels(call, "answered").inc()
        body: dict[str, Any] = response.json()
        return body

    def _unknown(self, call: str, why: str) -> Unknown:
        self._metrics.provider_calls.labels(call, "unknown").inc()
        return Unknown(why)


def _finding(intent: dict[str, Any]) -> Captured | Declined | Unknown:
    if intent["status"] == "succeeded" and intent["captured"]:
        return Captured(intent["id"], intent["amount"])
    if intent["status"] == "declined":
        return Declined(intent["id"])
    return Unknown(f"status {intent['status']}")
