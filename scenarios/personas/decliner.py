"""The decliner: pays with a card that is refused, then tries another one or gives up."""

from typing import Final

from scenarios.personas.habits import come_in, find_card, take
from scenarios.session import REFUSED_CARD, Session

HAS_ANOTHER_CARD: Final = 0.6


def decliner(session: Session) -> None:
    if not come_in(session):
        return
    reserved = take(session)
    if reserved.outcome != "ok":
        return
    find_card(session)
    refused = session.pay(reserved, method=REFUSED_CARD)
    if refused.reason == "declined" and session.choices.random() < HAS_ANOTHER_CARD:
        find_card(session)
        session.pay(reserved)
