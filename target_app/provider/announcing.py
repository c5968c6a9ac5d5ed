"""Webhooks: each event is sent until it arrives, within bounds, or as its manner has it."""

import asyncio
import logging
from collections import defaultdict
from dataclasses import dataclass

import httpx
import msgspec

from target_app.provider.conduct import Manner
from target_app.provider.events import Event, EventLog, Tried
from target_app.signatures import SIGNATURE_HEADER, sign

log = logging.getLogger(__name__)

LINES = 4
"""Events under way at once; in a rush they queue rather than crowd out the shoppers."""

NORMALLY = Manner()
FORGERS_SECRET = "not the secret that was agreed on"


@dataclass(frozen=True)
class Persistence:
    """How often an event is tried, and the pauses between, each twice the one before."""

    attempts: int = 6
    first_pause_s: float = 0.5
    longest_pause_s: float = 8.0

    def pause_s(self, tried: int) -> float:
        return float(min(self.longest_pause_s, self.first_pause_s * 2 ** (tried - 1)))


class Announcer:
    """Sends events in the background, so that no charge waits for the shop to listen."""

    def __init__(
        self,
        http: httpx.AsyncClient,
        *,
        url: str,
        secret: str,
        persistence: Persistence | None = None,
    ) -> None:
        self._http = http
        self._url = url
        self._secret = secret
        self._persistence = persistence or Persistence()
        self._lines = asyncio.Semaphore(LINES)
        self._sending: set[asyncio.Task[None]] = set()
        self._overtaken: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)

    async def aclose(self) -> None:
        """Stop sending; what has not arrived is sent again by the next process."""
        sending = list(self._sending)
        for task in sending:
            task.cancel()
        await asyncio.gather(*sending, return_exceptions=True)

    def announce(
        self, event: Event, events: EventLog, manner: Manner = NORMALLY
    ) -> asyncio.Task[None]:
        """Begin to send `event`; deliveries are noted in `events`. Nobody needs to wait for it."""
        task = asyncio.create_task(self._announce(event, events, manner))
        self._sending.add(task)  # the loop keeps only weak references
        task.add_done_callback(self._sending.discard)
        return task

    async def _announce(self, event: Event, events: EventLog, manner: Manner) -> None:
        if manner.held_s is not None:
            await self._be_overtaken(event, within_s=manner.held_s)
        await asyncio.sleep(manner.delay_s)
        secret = FORGERS_SECRET if manner.forged else self._secret
        if manner.concurrent:
            copies = [self._insist(event, events, secret) for _ in range(manner.copies)]
            await asyncio.gather(*copies)
        else:
            for _ in range(manner.copies):
                await self._insist(event, events, secret)

    async def _be_overtaken(self, event: Event, *, within_s: float) -> None:
        """Wait until a later event of the same charge was sent, or for as long as is bearable."""
        overtaken = self._overtaken[event.intent_id]
        try:
            async with asyncio.timeout(within_s):
                await overtaken.wait()
        except TimeoutError:
            log.info("nothing overtook %s", event.id)
        finally:
            self._overtaken.pop(event.intent_id, None)

    async def _insist(self, event: Event, events: EventLog, secret: str) -> None:
        for tried in range(1, self._persistence.attempts + 1):
            delivery = await self._send(event, secret)
            events.note(event, delivery)
            if event.intent_id in self._overtaken:
                self._overtaken[event.intent_id].set()
            if delivery.arrived:
                return
            log.info("%s: %s, %s", event.id, delivery, tried)
            if tried < self._persistence.attempts:
                await asyncio.sleep(self._persistence.pause_s(tried))

    async def _send(self, event: Event, secret: str) -> Tried:
        body = msgspec.json.encode(event)
        headers = {SIGNATURE_HEADER: sign(body, secret), "Content-Type": "application/json"}
        try:
            async with self._lines:
                response = await self._http.post(self._url, content=body, headers=headers)
        except httpx.TransportError as error:
            return Tried(problem=type(error).__name__)
        return Tried(status=response.status_code)
