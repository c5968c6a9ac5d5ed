"""The abandoner: reserves like a patient shopper and never pays, holding the unit to the end."""

from scenarios.personas.habits import come_in, take
from scenarios.session import Session


def abandoner(session: Session) -> None:
    if come_in(session):
        take(session)
