"""Webhooks: each capture is announced once, and whether it arrives is not our concern."""

import asyncio
import logging
import secrets
from typing import Any

import httpx
import msgspec

from target_app.signatures import SIGNATURE_HEADER, sign

log = logging.getLogger(__name__)

LINES = 4
"""Events under way at once; in a rush they queue rather than crowd out the shoppers."""


class Announcer:
    """Sends events in the background, so that no charge waits for the shop to listen."""

    def __init__(self, http: httpx.AsyncClient, *, url: str, secret: str) -> None:
        self._http = http
        self._url = url
        self._secret = secret
        self._lines = asyncio.Semaphore(LINES)
        self._sending: set[asyncio.Task[None]] = set()

    def announce(self, charge: dict[str, Any]) -> None:
        task = asyncio.create_task(self._send(charge))
        self._sending.add(task)  # the loop keeps only weak references
        task.add_done_callback(self._sending.discard)

    async def _send(self, charge: dict[str, Any]) -> None:
        event = {
            "id": f"evt_{secrets.token_hex(10)}",
            "type": "payment.succeeded",
            "intent_id": charge["charge_id"],
            "merchant_ref": charge["merchant_ref"],
            "psp_key": charge["psp_key"],
            "amount": charge["amount"],
        }
        body = msgspec.json.encode(event)
        headers = {SIGNATURE_HEADER: sign(body, self._secret), "Content-Type": "application/json"}
        try:
            async with self._lines:
                response = await self._http.post(self._url, content=body, headers=headers)
        except httpx.TransportError as error:
            log.info("webhook %s was lost: %r", event["id"], error)
            return
        if response.status_code != 200:
            log.info("webhook %s was answered %s", event["id"], response.status_code)
