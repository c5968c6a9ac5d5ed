"""The provider's HTTP face: charges, queries, refunds, the book, and its behaviour."""

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.responses import StreamingResponse

from target_app.problems import ProblemError, answer_problems, parse, reply
from target_app.provider.announcing import Announcer
from target_app.provider.behaviour import Behaviour, Mode, mode_for
from target_app.provider.book import Book, Entry, KeyMismatchError, NotRefundableError

SILENCE_S = 60.0
"""How long a charge that is never answered keeps its connection."""

router = APIRouter()


class Intent(msgspec.Struct, frozen=True):
    """The body of a charge."""

    merchant_ref: str
    amount: Annotated[int, msgspec.Meta(ge=0)]
    currency: str
    method: str
    confirm: bool


class Refund(msgspec.Struct, frozen=True):
    """The body of a refund."""

    intent_id: str
    amount: Annotated[int, msgspec.Meta(ge=1)]


class Simulator:
    """A provider: its book, its voice, and how it behaves since when."""

    def __init__(self, book: Book, announcer: Announcer) -> None:
        self.book = book
        self.announcer = announcer
        self._charges_since = 0
        self._behaviour = Behaviour()

    @property
    def behaviour(self) -> Behaviour:
        return self._behaviour

    def behave(self, behaviour: Behaviour) -> None:
        self._behaviour = behaviour
        self._charges_since = 0

    def charge(self, key: str, intent: Intent) -> tuple[Entry, Mode]:
        """Book a charge and say what its caller meets. A repeated one is answered normally."""
        entry = self.book.charge(
            key=key,
            merchant_ref=intent.merchant_ref,
            amount=intent.amount,
            currency=intent.currency,
            method=intent.method,
        )
        if not entry.fresh:
            return entry, Mode.NORMAL
        mode = mode_for(self._behaviour, key=key, charges_before=self._charges_since)
        self._charges_since += 1
        return entry, mode


def create_provider_app(simulator: Simulator) -> FastAPI:
    app = FastAPI(title="Doorbuster payment provider simulator")
    app.state.simulator = simulator
    app.include_router(router)
    answer_problems(app)
    return app


@router.post("/psp/intents")
async def charge(request: Request) -> Response:
    simulator = _simulator(request)
    key = _key(request)
    intent = parse(await request.body(), Intent)
    try:
        entry, mode = simulator.charge(key, intent)
    except KeyMismatchError as error:
        raise ProblemError(422, "key_mismatch") from error
    if mode is Mode.TIMEOUT_AFTER_CAPTURE:
        return await _silence(request)
    if mode is Mode.SLOW:
        await asyncio.sleep(simulator.behaviour.delay_s)
    if entry.fresh and entry.values["state"] == "captured":
        simulator.announcer.announce(entry.values)
    return reply(_public(entry.values))


@router.get("/psp/intents")
async def find(request: Request, merchant_ref: str) -> Response:
    charges = _simulator(request).book.charges_of(merchant_ref)
    return reply({"intents": [_public(charge) for charge in charges]})


@router.post("/psp/refunds")
async def refund(request: Request) -> Response:
    wanted = parse(await request.body(), Refund)
    try:
        entry = _simulator(request).book.refund(
            key=_key(request), charge_id=wanted.intent_id, amount=wanted.amount
        )
    except KeyMismatchError as error:
        raise ProblemError(422, "key_mismatch") from error
    except NotRefundableError as error:
        raise ProblemError(409, "not_refundable") from error
    values = entry.values
    return reply(
        {"id": values["refund_id"], "intent_id": values["charge_id"], "amount": values["amount"]}
    )


@router.get("/psp/_sim")
async def behaviour(request: Request) -> Response:
    return reply(_simulator(request).behaviour)


@router.put("/psp/_sim")
async def behave(request: Request) -> Response:
    simulator = _simulator(request)
    simulator.behave(parse(await request.body(), Behaviour))
    return reply(simulator.behaviour)


@router.get("/psp/book")
async def book(request: Request) -> Response:
    rows = list(_simulator(request).book.lines())
    return StreamingResponse(_ndjson(rows), media_type="application/x-ndjson")


@router.get("/healthz")
async def alive() -> Response:
    return reply({"status": "ok"})


def _ndjson(rows: list[dict[str, Any]]) -> Iterator[bytes]:
    for row in [*rows, {"table": "end", "rows": len(rows)}]:
        yield msgspec.json.encode(row) + b"\n"


async def _silence(request: Request) -> Response:
    """Wait until the caller hangs up; what a caller who never does gets is of no interest."""
    with suppress(TimeoutError):
        async with asyncio.timeout(SILENCE_S):
            while (await request.receive())["type"] != "http.disconnect":
                pass
    return Response(status_code=504)


def _public(charge: dict[str, Any]) -> dict[str, Any]:
    captured = charge["state"] == "captured"
    return {
        "id": charge["charge_id"],
        "merchant_ref": charge["merchant_ref"],
        "psp_key": charge["psp_key"],
        "status": "succeeded" if captured else "declined",
        "amount": charge["amount"],
        "currency": charge["currency"],
        "captured": captured,
    }


def _simulator(request: Request) -> Simulator:
    simulator: Simulator = request.app.state.simulator
    return simulator


def _key(request: Request) -> str:
    key = request.headers.get("idempotency-key")
    if not key:
        raise ProblemError(400, "key_missing")
    return key
