"""The retry storm: an app that asks again every second, at one beat with all others like it."""

from typing import Final

from scenarios.manners import STORMING
from scenarios.personas.habits import WAITS_AT_DOOR_S, pay, reserve_in_turn
from scenarios.session import Session

TRIES: Final = 12
FINAL: Final = frozenset({"sold_out", "limit", "ended", "unknown_sku"})
"""What even this app takes for an answer."""


def retry_storm(session: Session) -> None:
    session.view()
    if session.opens_in_s > WAITS_AT_DOOR_S:
        return
    session.wait_for(session.opens_s)
    for _ in range(TRIES):
        if session.sale_is_over:
            return
        reserved = reserve_in_turn(session)
        if reserved.outcome == "ok":
            pay(session, reserved)
            return
        if reserved.reason in FINAL:
            return
        session.think(STORMING.first_s)
