"""The bytes of each proxy and direction, which `/metrics` shows once a link has ended."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from chaos.proxy.toxics.stage import Outlet

Labels = tuple[str, str, str, str]
"""Direction, proxy, listener and upstream."""


@dataclass
class Totals:
    """Bytes by label, of links that have ended."""

    received: Counter[Labels] = field(default_factory=Counter)
    sent: Counter[Labels] = field(default_factory=Counter)

    def __iter__(self) -> Iterator[tuple[str, Counter[Labels]]]:
        yield "received", self.received
        yield "sent", self.sent


class Tally:
    """The bytes of one link; as in Toxiproxy, sent ones do not count where the reader went away."""

    def __init__(self, totals: Totals, labels: Labels) -> None:
        self.received_bytes = 0
        self.sent_bytes = 0
        self._lost = False
        self._totals = totals
        self._labels = labels

    def report_received(self) -> None:
        self._totals.received[self._labels] += self.received_bytes

    def report_sent(self) -> None:
        if not self._lost:
            self._totals.sent[self._labels] += self.sent_bytes

    def lose(self, data: bytes) -> None:
        """Count what was read when nobody was left to send it to."""
        self.received_bytes += len(data)
        self._lost = True


class Tallied:
    """The socket at the end of a link, with what is sent to it counted."""

    def __init__(self, outlet: Outlet, tally: Tally) -> None:
        self._outlet = outlet
        self._tally = tally

    def feed(self, chunk: bytes) -> None:
        self._tally.sent_bytes += len(chunk)
        self._outlet.feed(chunk)

    def end(self) -> None:
        self._tally.report_sent()
        self._outlet.end()
