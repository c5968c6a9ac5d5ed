"""The scraper: a bot that reads the page and the stock as fast as it dares, and buys nothing."""

from typing import Final

from scenarios.session import Session

EVERY_S: Final = 0.2


def scraper(session: Session) -> None:
    for look in range(session.choices.randint(15, 30)):
        if look % 5 == 0:
            session.view()
        else:
            session.stock()
        session.think(EVERY_S)
