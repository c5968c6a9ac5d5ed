"""What a replica counts of the waiting room, and how many it last saw in there."""

from collections.abc import Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge

PLACES = ("waiting", "called", "active")
WAYS_OUT = ("checked_out", "sold_out", "gave_up", "absent", "lapsed")


class RoomFigures:
    """Counters of what this replica did, and gauges of the line that all of them share."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.joined = Counter(
            "storefront_waiting_room_joined",
            "Tickets drawn through this replica",
            registry=registry,
        )
        self.called = Counter(
            "storefront_waiting_room_called", "Tickets whose turn it became", registry=registry
        )
        self.admitted = Counter(
            "storefront_waiting_room_admitted",
            "Tickets whose holder was there and was admitted",
            registry=registry,
        )
        self.left = Counter(
            "storefront_waiting_room_left",
            "Tickets that ended; absent were not heard of any more, lapsed did not check out",
            ("how",),
            registry=registry,
        )
        for how in WAYS_OUT:
            self.left.labels(how)
        self._tickets = Gauge(
            "storefront_waiting_room_tickets",
            "Tickets by where they are",
            ("place",),
            registry=registry,
        )
        self.show(None)

    def show(self, counts: Sequence[float] | None) -> None:
        """Take in how many are waiting, called and active; None where nobody can say."""
        for place, count in zip(PLACES, counts or [float("nan")] * len(PLACES), strict=True):
            self._tickets.labels(place).set(count)
