"""The shop's side of the payment provider: what is asked, within which limits.

Each kind of call has a bulkhead, so that however many charges hang, a query still gets through.
New charges also pass a breaker: a provider that keeps silent is left alone for a while, and the
intents that wait are charged by the reconciliation.
"""

import asyncio
import time
from collections.abc import Callable
from datetime import date
from typing import Any, TypeVar

import httpx
import msgspec

from target_app.metrics import Metrics
from target_app.payments.breaker import Breaker
from target_app.payments.bulkhead import Bulkhead, BulkheadFullError
from target_app.payments.findings import (
    Authorized,
    Captured,
    Charge,
    ChargeFinding,
    Closed,
    Declined,
    Finding,
    FoundIntent,
    Intent,
    NeverSeen,
    Refused,
    Spared,
    Unknown,
    finding_of,
)
from target_app.payments.provider_lists import ListedEvents, SettledLine, settled_lines

__all__ = [
    "CONNECTIONS",
    "Authorized",
    "Captured",
    "Charge",
    "ChargeFinding",
    "Closed",
    "Declined",
    "Finding",
    "NeverSeen",
    "ProviderClient",
    "Refused",
    "Unknown",
]

CALLS_AT_ONCE = {"charge": 200, "find": 40, "capture": 40, "cancel": 40, "refund": 10, "list": 2}
"""Places in each call's bulkhead."""

CONNECTIONS = httpx.Limits(
    max_connections=sum(CALLS_AT_ONCE.values()), max_keepalive_connections=50
)
DEFINITE = frozenset({402, 404, 409, 410})
"""Statuses that say no, as against those that say nothing."""
DECLINED = "card_declined"

T = TypeVar("T")


class Intents(msgspec.Struct, frozen=True):
    """The answer to a query."""

    intents: list[FoundIntent]


class GivenBack(msgspec.Struct, frozen=True):
    """The answer to a refund."""

    id: str
    status: str


INTENT = msgspec.json.Decoder(Intent).decode
INTENTS = msgspec.json.Decoder(Intents).decode
GIVEN_BACK = msgspec.json.Decoder(GivenBack).decode
EVENTS = msgspec.json.Decoder(ListedEvents).decode


class ProviderClient:
    """Asks the payment provider, with a deadline for each call as a whole."""

    def __init__(
        self,
        http: httpx.AsyncClient,
        *,
        timeout_s: float,
        metrics: Metrics,
        breaker: Breaker | None = None,
    ) -> None:
        self._http = http
        self._timeout_s = timeout_s
        self._metrics = metrics
        self._bulkheads = {call: Bulkhead(places) for call, places in CALLS_AT_ONCE.items()}
        self.breaker = breaker or Breaker(time.monotonic)

    async def charge(self, charge: Charge) -> ChargeFinding:
        """Make a charge, or set it aside with `capture_method` manual."""
        if not self.breaker.admits():
            return self._spared("charge", "breaker open")
        body = {
            "merchant_ref": charge.order_id,
            "amount": charge.amount,
            "currency": charge.currency,
            "method": charge.method,
            "confirm": True,
        }
        if charge.capture_method != "automatic":
            body["capture_method"] = charge.capture_method
        answer = await self._call(
            "charge", "/psp/intents", read=INTENT, json=body, key=charge.psp_key
        )
        if isinstance(answer, Unknown):
            self.breaker.failed()
        else:
            self.breaker.answered()
        return _charged(answer)

    async def find(self, *, order_id: str, psp_key: str) -> Finding:
        """Ask what became of a charge."""
        answer = await self._call(
            "find", "/psp/intents", read=INTENTS, params={"merchant_ref": order_id}
        )
        if isinstance(answer, Unknown):
            return answer
        if isinstance(answer, Refused):
            return Unknown(answer.code)
        ours = [intent for intent in answer.intents if intent.psp_key == psp_key]
        return finding_of(ours[0]) if ours else NeverSeen()

    async def forestall(self, charge: Charge) -> str | None:
        """Take a charge's key without confirming it, so that one still on its way finds it taken.

        Returns:
            What the provider calls it, to be cancelled; None without an answer.
        """
        body = {
            "merchant_ref": charge.order_id,
            "amount": charge.amount,
            "currency": charge.currency,
            "method": charge.method,
            "confirm": False,
        }
        answer = await self._call(
            "cancel", "/psp/intents", read=INTENT, json=body, key=charge.psp_key
        )
        return answer.id if isinstance(answer, Intent) else None

    async def capture(self, *, psp_ref: str, psp_key: str, amount: int) -> ChargeFinding | Refused:
        """Take the money that was set aside; refused once it no longer is."""
        answer = await self._call(
            "capture",
            f"/psp/intents/{psp_ref}/capture",
            read=INTENT,
            json={"amount": amount},
            key=f"{psp_key}:capture",
        )
        return answer if isinstance(answer, Refused) else _charged(answer)

    async def cancel(self, *, psp_ref: str, psp_key: str) -> ChargeFinding | Refused:
        """Close a charge that has not been captured; refused once it has."""
        answer = await self._call(
            "cancel",
            f"/psp/intents/{psp_ref}/cancel",
            read=INTENT,
            json={},
            key=f"{psp_key}:cancel",
        )
        return answer if isinstance(answer, Refused) else _charged(answer)

    async def refund(self, *, psp_ref: str, psp_key: str, amount: int) -> Refused | Unknown | None:
        """Give money of a charge back; None once the provider confirms it."""
        answer = await self._call(
            "refund",
            "/psp/refunds",
            read=GIVEN_BACK,
            json={"intent_id": psp_ref, "amount": amount},
            key=f"{psp_key}:refund",
        )
        if isinstance(answer, GivenBack):
            return None if answer.status == "succeeded" else Unknown(f"status {answer.status}")
        return answer

    async def events(self, *, after: str | None, limit: int) -> ListedEvents | Refused | Unknown:
        """List what the provider announced or would have, from the event `after` on."""
        params: dict[str, str | int] = {"limit": limit} | ({"after": after} if after else {})
        return await self._call("list", "/psp/events", read=EVENTS, params=params)

    async def settlement(self, day: date) -> list[SettledLine] | Refused | Unknown:
        """Fetch the settlement file of a day, which for today ends now."""
        params = {"day": day.isoformat()}
        return await self._call("list", "/psp/settlement", read=settled_lines, params=params)

    async def _call(
        self,
        call: str,
        path: str,
        *,
        read: Callable[[bytes], T],
        key: str | None = None,
        **request: Any,
    ) -> T | Refused | Unknown:
        """Return the body of a 200 or a definite no; anything else leaves us where we were."""
        response = await self._sent(call, path, key=key, **request)
        if isinstance(response, Unknown):
            return response
        if response.status_code in DEFINITE:
            self._metrics.provider_calls.labels(call, "refused").inc()
            return Refused(_code(response))
        if response.status_code != 200:
            return self._unknown(call, f"status {response.status_code}")
        try:
            body = read(response.content)
        except ValueError as error:  # a gateway's own page, or an answer that is not the provider's
            return self._unknown(call, f"unreadable answer: {error}")
        self._metrics.provider_calls.labels(call, "answered").inc()
        return body

    async def _sent(
        self, call: str, path: str, *, key: str | None, **request: Any
    ) -> httpx.Response | Unknown:
        method = "POST" if "json" in request else "GET"
        headers = {"Idempotency-Key": key} if key else None
        try:
            with self._bulkheads[call].place():
                async with asyncio.timeout(self._timeout_s):
                    return await self._http.request(method, path, headers=headers, **request)
        except BulkheadFullError:
            return self._spared(call, "bulkhead full")
        except (TimeoutError, httpx.TimeoutException):
            self._metrics.provider_timeouts.inc()
            return self._unknown(call, "timeout")
        except httpx.RequestError as error:  # not only of the transport: a body may not unpack
            return self._unknown(call, type(error).__name__)

    def _spared(self, call: str, why: str) -> Spared:
        self._metrics.provider_calls.labels(call, "spared").inc()
        return Spared(why)

    def _unknown(self, call: str, why: str) -> Unknown:
        self._metrics.provider_calls.labels(call, "unknown").inc()
        return Unknown(why)


def _charged(answer: Intent | Refused | Unknown) -> ChargeFinding:
    """Read the answer to a charge; a no to the request is no word on an earlier one."""
    if isinstance(answer, Refused):
        return Declined("") if answer.code == DECLINED else Unknown(answer.code)
    return answer if isinstance(answer, Unknown) else finding_of(answer)


def _code(response: httpx.Response) -> str:
    if response.status_code == 402:
        return DECLINED
    try:
        return str(response.json()["code"])
    except (ValueError, KeyError, TypeError):
        return f"status {response.status_code}"
