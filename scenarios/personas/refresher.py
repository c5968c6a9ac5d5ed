"""The refresher: polls the stock while waiting, and a few times more when it is sold out."""

from typing import Final

from scenarios.personas.habits import WAITS_AT_DOOR_S, pay, reaction_s, take
from scenarios.session import Session

PURCHASE_TRIES: Final = 3
POLLS_WHEN_SOLD_OUT: Final = 2


def refresher(session: Session) -> None:
    every_s = session.choices.uniform(0.5, 2.0)
    session.view()
    if session.opens_in_s > WAITS_AT_DOOR_S:
        _refresh(session, session.choices.randint(3, 8), every_s)
        return
    while session.opens_in_s > every_s:
        _refresh(session, 1, every_s)
    if session.opens_in_s > 0:
        session.wait_for(session.opens_s + reaction_s(session.choices))
    _keep_trying(session, every_s)


def _keep_trying(session: Session, every_s: float) -> None:
    """Try to buy; while it is sold out, watch the stock and try again when some is back."""
    for _ in range(PURCHASE_TRIES):
        if session.sale_is_over:
            return
        reserved = take(session)
        if reserved.reason != "sold_out":
            pay(session, reserved)
            return
        if not _refresh(session, POLLS_WHEN_SOLD_OUT, every_s):
            return


def _refresh(session: Session, polls: int, every_s: float) -> bool:
    """Poll the stock up to `polls` times; stop early and return True when some can be had."""
    for _ in range(polls):
        session.think(every_s)
        seen = session.stock()
        if seen.available and session.opens_in_s <= 0:
            return True
    return False
