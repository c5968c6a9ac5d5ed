"""The member: was here before, so logs in, knows the price and pays with what is on file."""

from scenarios.personas.habits import bring_account, come_in, pay, take
from scenarios.session import Session


def member(session: Session) -> None:
    if not bring_account(session) or not come_in(session):
        return
    if session.offers("quote") and session.quote().outcome != "ok":
        return
    pay(session, take(session), median_s=0.6)
