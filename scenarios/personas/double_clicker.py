"""The double clicker: presses every button that costs something twice within a moment."""

from typing import Final

from scenarios.personas.habits import come_in, find_card, take
from scenarios.session import Session, Twice

WITHIN_S: Final = 0.2
NEW_KEY: Final = 0.25
"""The share whose app makes a new key for each click: two purchases, as far as the shop can see."""


def double_clicker(session: Session) -> None:
    if not come_in(session):
        return
    choices = session.choices
    new_key = choices.random() < NEW_KEY
    twice = Twice(choices.uniform(0.0, WITHIN_S), "new" if new_key else "same")
    reserved = take(session, twice=twice)
    if reserved.outcome == "ok":
        find_card(session)
        session.pay(reserved, twice=Twice(choices.uniform(0.0, WITHIN_S)))
