"""The newcomer: registers, fills a cart, looks at the price, and types in a whole address."""

from typing import Final

from scenarios.personas.habits import bring_account, come_in, pay, price, take
from scenarios.session import Session

LEAVES_CART: Final = 0.3
"""The share who see the price and go; shops report twice that of all carts, and less in a rush."""


def newcomer(session: Session) -> None:
    if not come_in(session) or not bring_account(session) or not price(session):
        return
    if session.choices.random() < LEAVES_CART:
        session.visit.left("left_cart")
        return
    pay(session, take(session), median_s=3.0)
