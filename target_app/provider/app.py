"""The provider's HTTP face: charges, queries, refunds, events, the book, and its behaviour."""

from collections.abc import Iterator
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, FastAPI, Query, Request, Response
from fastapi.responses import StreamingResponse

from target_app.problems import ProblemError, answer_problems, parse, problem, reply
from target_app.provider.answering import answer, read, simulator_of, turned_away
from target_app.provider.behaviour import Behaviour, Call
from target_app.provider.conduct import Asked
from target_app.provider.intents import Capture, Intent, Refund, public_intent
from target_app.provider.refusals import RefusedError
from target_app.provider.settlement import as_csv, settlement, told
from target_app.provider.simulator import Simulator, shown

__all__ = ["Simulator", "create_provider_app"]

DAY = r"^\d{4}-\d{2}-\d{2}$"

router = APIRouter()


def create_provider_app(simulator: Simulator) -> FastAPI:
    app = FastAPI(title="Doorbuster payment provider simulator")
    app.state.simulator = simulator
    app.include_router(router)
    app.add_exception_handler(RefusedError, _refused)
    answer_problems(app)
    return app


@router.post("/psp/intents")
async def charge(request: Request) -> Response:
    asked = Asked(Call.CHARGE, _key(request))
    intent = parse(await request.body(), Intent)
    return await answer(request, asked, lambda: simulator_of(request).charge(intent, asked))


@router.post("/psp/intents/{charge_id}/confirm")
async def confirm(request: Request, charge_id: str) -> Response:
    asked = _asked(request, Call.CONFIRM, charge_id)
    return await answer(request, asked, lambda: simulator_of(request).confirm(charge_id, asked))


@router.post("/psp/intents/{charge_id}/capture")
async def capture(request: Request, charge_id: str) -> Response:
    asked = _asked(request, Call.CAPTURE, charge_id)
    wanted = parse(await request.body() or b"{}", Capture)
    return await answer(
        request, asked, lambda: simulator_of(request).capture(charge_id, wanted, asked)
    )


@router.post("/psp/intents/{charge_id}/cancel")
async def cancel(request: Request, charge_id: str) -> Response:
    asked = _asked(request, Call.CANCEL, charge_id)
    return await answer(request, asked, lambda: simulator_of(request).cancel(charge_id))


@router.get("/psp/intents/{charge_id}")
async def show(request: Request, charge_id: str) -> Response:
    book = simulator_of(request).book
    asked = Asked(Call.QUERY, charge_id)
    return await read(request, asked, lambda: public_intent(book.find(charge_id)))


@router.get("/psp/intents")
async def find(request: Request, merchant_ref: str) -> Response:
    book = simulator_of(request).book
    return await read(
        request,
        Asked(Call.QUERY, merchant_ref),
        lambda: {"intents": [public_intent(charge) for charge in book.charges_of(merchant_ref)]},
    )


@router.post("/psp/refunds")
async def refund(request: Request) -> Response:
    asked = Asked(Call.REFUND, _key(request))
    wanted = parse(await request.body(), Refund)
    return await answer(request, asked, lambda: simulator_of(request).refund(wanted, asked))


@router.get("/psp/events")
async def events(
    request: Request,
    delivered: bool | None = None,
    after: str | None = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 500,
) -> Response:
    """List events, the oldest first; `after` is the id of the last one that is known."""
    log = simulator_of(request).events
    return await read(
        request,
        Asked(Call.QUERY, f"events after {after}"),
        lambda: {"events": list(log.listed(delivered=delivered, after=after, limit=limit))},
    )


@router.get("/psp/settlement")
async def settled(request: Request, day: Annotated[str, Query(pattern=DAY)]) -> Response:
    refusal = await turned_away(request, Asked(Call.QUERY, f"settlement of {day}"))
    if refusal is not None:
        return refusal
    simulator = simulator_of(request)
    lines = told(settlement(simulator.book.database, day), simulator.conduct.behaviours)
    return Response(as_csv(lines), media_type="text/csv")


@router.get("/psp/_sim")
async def behaviour(request: Request) -> Response:
    return reply(shown(simulator_of(request).behaviours))


@router.put("/psp/_sim")
async def behave(request: Request) -> Response:
    """Set one behaviour, or a list of them that hold at the same time."""
    simulator = simulator_of(request)
    body = await request.body()
    # Told apart by hand: a union would not say which field of which form was wrong.
    if body.lstrip().startswith(b"["):
        simulator.behave(parse(body, tuple[Behaviour, ...]))
    else:
        simulator.behave(parse(body, Behaviour))
    return reply(shown(simulator.behaviours))


@router.get("/psp/book")
async def book(request: Request) -> Response:
    rows = list(simulator_of(request).book.lines())
    return StreamingResponse(_ndjson(rows), media_type="application/x-ndjson")


@router.get("/healthz")
async def alive() -> Response:
    return reply({"status": "ok"})


def _ndjson(rows: list[dict[str, Any]]) -> Iterator[bytes]:
    for row in [*rows, {"table": "end", "rows": len(rows)}]:
        yield msgspec.json.encode(row) + b"\n"


async def _refused(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RefusedError)
    return problem(ProblemError(error.status, error.code, details={"detail": str(error)}))


def _key(request: Request) -> str:
    key = request.headers.get("idempotency-key")
    if not key:
        raise ProblemError(400, "key_missing")
    return key


def _asked(request: Request, call: Call, charge_id: str) -> Asked:
    """Name a call on a charge: it happens at most once, so it needs no key of its own."""
    return Asked(call, request.headers.get("idempotency-key") or charge_id)
