"""How a call is answered: turned away, answered late, half or not at all, or as it should be."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from fastapi import Request, Response
from starlette.types import Receive, Scope, Send

from target_app.problems import ProblemError, problem, reply
from target_app.provider.behaviour import DECISIONS, Behaviour, Call, Mode, delay_for
from target_app.provider.book import Entry
from target_app.provider.conduct import Asked
from target_app.provider.intents import State, public_intent, public_refund
from target_app.provider.simulator import Simulator

SILENCE_S = 60.0
"""How long a call that is never answered keeps its connection."""

HEARD_FIRST_S = 3.0
"""How long an answer waits for its event to arrive first; a shop that is down never hears it."""

UNANSWERED = (Mode.TIMEOUT_AFTER_CAPTURE, Mode.RESET_MID_RESPONSE, Mode.SOFT_5XX)


class CutResponse(Response):
    """Promises a body, sends half of it and never ends: the server then cuts the connection."""

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        start = {"type": "http.response.start", "status": self.status_code}
        await send(start | {"headers": self.raw_headers})
        half = bytes(self.body)[: len(self.body) // 2]
        await send({"type": "http.response.body", "body": half, "more_body": True})


async def answer(request: Request, asked: Asked, act: Callable[[], Entry]) -> Response:
    """Act as asked, unless the call is turned away first, and answer as well as behaviour lets.

    A repeated call is answered as it should be: what went wrong the first time is over.
    """
    simulator = simulator_of(request)
    refusal = await turned_away(request, asked)
    if refusal is not None:
        return refusal
    with simulator.book.whole():
        entry = act()
        if not entry.fresh:
            return said(entry, asked.call)
        slow = simulator.conduct.take(asked, Mode.SLOW)
        lost = _loss(simulator, asked)
        muted = lost is not None and not lost.announce
        news = simulator.prepare(entry, asked.call, muted=muted)
    if slow:
        await asyncio.sleep(delay_for(slow, key=asked.key))
    if news:
        sending = simulator.send(*news)
        if sending and news[1].before_response:
            await asyncio.wait({sending}, timeout=HEARD_FIRST_S)
    shown = said(entry, asked.call)
    return await _unanswered(request, lost, shown) if lost else shown


async def read(request: Request, asked: Asked, act: Callable[[], object]) -> Response:
    """Answer a query, late or not at all where behaviour says so."""
    refusal = await turned_away(request, asked)
    if refusal is not None:
        return refusal
    slow = simulator_of(request).conduct.take(asked, Mode.SLOW)
    if slow:
        await asyncio.sleep(delay_for(slow, key=asked.key))
    return reply(act())


async def turned_away(request: Request, asked: Asked) -> Response | None:
    """Return the answer of a call that has no effect, None if it may go on."""
    conduct = simulator_of(request).conduct
    wait_s = conduct.limited_s(asked)
    if wait_s is None:
        return problem(ProblemError(429, "too_many_requests", headers={"Retry-After": "1"}))
    if wait_s:
        await asyncio.sleep(wait_s)
    if conduct.take(asked, Mode.TIMEOUT_BEFORE):
        return await silence(request)
    broken = conduct.take(asked, Mode.SOFT_5XX, effect=False)
    return out_of_order(broken) if broken else None


async def silence(request: Request) -> Response:
    """Wait until the caller hangs up; what a caller who never does gets is of no interest."""
    with suppress(TimeoutError):
        async with asyncio.timeout(SILENCE_S):
            while (await request.receive())["type"] != "http.disconnect":
                pass
    return Response(status_code=504)


def out_of_order(behaviour: Behaviour) -> Response:
    return problem(ProblemError(behaviour.status, "provider_error"))


def said(entry: Entry, call: Call) -> Response:
    """Answer with an entry of the book; to who wanted money, a declined card is a problem."""
    headers = None if entry.fresh else {"Idempotent-Replayed": "true"}
    if "refund_id" in entry.values:
        return reply(public_refund(entry.values), headers=headers)
    shown = public_intent(entry.values)
    if call is Call.CAPTURE and entry.values["state"] == State.VOIDED:
        return problem(ProblemError(409, "authorization_expired", details={"intent": shown}))
    if entry.values["state"] != State.DECLINED or call not in DECISIONS:
        return reply(shown, headers=headers)
    details: dict[str, Any] = {"decline_code": shown["decline_code"], "intent": shown}
    return problem(ProblemError(402, "card_declined", details=details, headers=headers))


def simulator_of(request: Request) -> Simulator:
    simulator: Simulator = request.app.state.simulator
    return simulator


def _loss(simulator: Simulator, asked: Asked) -> Behaviour | None:
    plain = simulator.conduct.take(asked, *UNANSWERED[:2])
    return plain or simulator.conduct.take(asked, Mode.SOFT_5XX, effect=True)


async def _unanswered(request: Request, lost: Behaviour, shown: Response) -> Response:
    match lost.mode:
        case Mode.TIMEOUT_AFTER_CAPTURE:
            return await silence(request)
        case Mode.RESET_MID_RESPONSE:
            return CutResponse(bytes(shown.body), media_type="application/json")
        case _:
            return out_of_order(lost)
