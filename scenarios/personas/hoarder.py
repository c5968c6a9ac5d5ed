"""The hoarder: a bot with a few accounts that takes what it can get and pays for none of it."""

from typing import Final

from scenarios.personas.habits import WAITS_AT_DOOR_S, reserve_in_turn
from scenarios.session import Session

PURCHASES: Final = 5


def hoarder(session: Session) -> None:
    if session.opens_in_s > WAITS_AT_DOOR_S:
        session.stock()
        return
    session.wait_for(session.opens_s)
    for _ in range(PURCHASES):
        if session.sale_is_over:
            return
        reserved = reserve_in_turn(session)
        if reserved.reason in ("sold_out", "limit", "ended"):
            return
        session.think(session.choices.uniform(0.1, 0.3))
