"""The patient shopper: reads the page, buys once the sale is open, leaves when it is sold out."""

from scenarios.personas.habits import come_in, pay, take
from scenarios.session import Session


def patient(session: Session) -> None:
    if come_in(session):
        pay(session, take(session))
