"""The sniper: a bot without page views that posts at the opening, give or take its clock."""

from typing import Final

from scenarios.personas.habits import WAITS_AT_DOOR_S, pay, take
from scenarios.session import Session

CLOCK_ERROR_S: Final = 0.15


def sniper(session: Session) -> None:
    if session.opens_in_s > WAITS_AT_DOOR_S:
        session.stock()
        return
    if session.opens_in_s > 0:
        session.wait_for(session.opens_s + session.choices.gauss(0.0, CLOCK_ERROR_S))
    if not session.sale_is_over:
        pay(session, take(session, again_s=(0.05, 0.15)), median_s=0.3)
