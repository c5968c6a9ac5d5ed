"""Habits that several personas share: browsing, waiting at the door, taking a unit, paying.

Think times are assumptions, short because sessions of a rush last seconds: browsing exponential,
deciding lognormal, a reaction to the opening lognormal with median 0.4 s.
"""

import math
from random import Random
from typing import Final

from scenarios.session import Session, Twice
from scenarios.step import Result

WAITS_AT_DOOR_S: Final = 5.0
"""Who arrives earlier than this before the opening looks around and leaves."""

LONGEST_BROWSE_S: Final = 6.0
NOT_STARTED_TRIES: Final = 10
SHED_TRIES: Final = 3
LONGEST_IN_LINE: Final = 30
"""How often one asks where one stands, before one goes home."""
PLACES_AT_MOST: Final = 3
"""How often one takes a place in the line, if the shop loses those before."""


def lognormal_s(choices: Random, *, median_s: float, sigma: float) -> float:
    return choices.lognormvariate(math.log(median_s), sigma)


def reaction_s(choices: Random) -> float:
    """Return how long after the opening a person presses the button."""
    return lognormal_s(choices, median_s=0.4, sigma=0.6)


def browse(session: Session) -> None:
    """Look around for a few steps, as people do who came too early."""
    choices = session.choices
    for _ in range(choices.randint(1, 3)):
        session.think(min(LONGEST_BROWSE_S, choices.expovariate(1 / 2.0)))
        if choices.random() < 0.5:
            session.view()
        else:
            session.stock()


def come_in(session: Session) -> bool:
    """Look at the product and decide; return whether the shopper will now try to buy."""
    session.view()
    if session.opens_in_s > WAITS_AT_DOOR_S:
        browse(session)
        return False
    if session.opens_in_s <= 0:
        session.think(lognormal_s(session.choices, median_s=1.0, sigma=0.5))
    elif session.lead_s or not session.offers("queue"):
        session.wait_for(session.opens_s + reaction_s(session.choices))
    return not session.sale_is_over


def take(
    session: Session, *, again_s: tuple[float, float] = (0.5, 1.0), twice: Twice | None = None
) -> Result:
    """Reserve one unit; who is told that it is too early, or too full, tries again in a moment.

    Who is told to go through the waiting room, since their admission or their early access has
    ended meanwhile, does so.
    """
    tries = {"not_started": NOT_STARTED_TRIES, "shed": SHED_TRIES, "not_admitted": 2}
    turn = stand_in_line(session, again_s=again_s)
    while turn is None or turn.outcome == "ok":
        reserved = session.reserve(twice=twice)
        left = tries.get(reserved.reason or "", 0) - 1
        if left <= 0:
            return reserved
        tries[reserved.reason or ""] = left
        session.think(session.asked_s(reserved) + session.choices.uniform(*again_s))
        if reserved.reason == "not_admitted":
            turn = stand_in_line(session, again_s=again_s)
    return turn


def reserve_in_turn(session: Session) -> Result:
    """Reserve once, standing in the line before it where there is one."""
    turn = stand_in_line(session)
    return session.reserve() if turn is None or turn.outcome == "ok" else turn


def stand_in_line(session: Session, *, again_s: tuple[float, float] = (0.5, 1.0)) -> Result | None:
    """Wait until one may check out, not for ever; None where nobody has to, nor who is early.

    Whose place is lost stands in line again, as the last one.
    """
    if session.is_early or not session.offers("queue"):
        return None
    place = session.queue()
    places, turn = 1, place
    for _ in range(LONGEST_IN_LINE):
        if place.outcome != "ok":
            return place
        turn = session.turn()
        if session.sale_is_over or turn.reason not in ("waiting", "lost_place"):
            break
        if turn.reason == "lost_place" and places == PLACES_AT_MOST:
            break
        session.think(session.asked_s(turn) + session.choices.uniform(*again_s))
        if turn.reason == "lost_place":
            places, place = places + 1, session.queue()
    return turn


def pay(session: Session, reserved: Result, *, median_s: float = 1.5) -> None:
    """Pay for what was reserved, after finding the card."""
    if reserved.outcome == "ok":
        find_card(session, median_s=median_s)
        session.pay(reserved)


def bring_account(session: Session) -> bool:
    """Log in or register where the shop has such a thing; return whether one can go on."""
    return not session.offers("session") or session.log_in().outcome == "ok"


def price(session: Session) -> bool:
    """Put it in the cart and have it priced where the shop does so; False when that fails."""
    choices = session.choices
    for op, ask in (("cart", session.put_in_cart), ("quote", session.quote)):
        if session.offers(op):
            if ask().outcome != "ok":
                return False
            session.think(lognormal_s(choices, median_s=0.8, sigma=0.5))
    return True


def find_card(session: Session, *, median_s: float = 1.5) -> None:
    session.think(lognormal_s(session.choices, median_s=median_s, sigma=0.4))
