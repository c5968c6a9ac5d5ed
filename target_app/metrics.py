"""What a replica counts about itself, in a registry of its own.

Names follow OpenTelemetry's conventions as Prometheus spells them where there is one; what only a
shop has begins with `storefront_`.
"""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Protocol

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from target_app.database.pool import Database

BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
"""Those that OpenTelemetry advises for requests and for waits for a connection."""


class InFlight(Protocol):
    """A number of requests and its present limit."""

    in_flight: int
    now: int


class Metrics:
    """Counters of one replica."""

    def __init__(self, replica: str) -> None:
        self.registry = CollectorRegistry()
        self.request_duration_s = self._histogram(
            "http_server_request_duration_seconds",
            "Time from request to the end of the answer; its count by status is rate and errors",
            "http_request_method",
            "http_route",
            "http_response_status_code",
        )
        self.shed = self._counter("storefront_shed", "Requests turned away at the door", "priority")
        self.order_moves = self._counter(
            "storefront_order_transitions", "Orders moved, once committed", "source", "target"
        )
        self.gmv_minor_units = self._counter(
            "storefront_gmv_minor_units", "Money of orders that this replica booked as paid"
        )
        self.paid_orders = self._counter(
            "storefront_paid_orders", "Orders that this replica booked as paid"
        )
        self.provider_calls = self._counter(
            "storefront_provider_calls",
            "Calls to the payment provider; spared ones were not made",
            "call",
            "result",
        )
        self.provider_timeouts = self._counter(
            "storefront_provider_timeouts", "Calls to the payment provider that were given up"
        )
        self.provider_retries = self._counter(
            "storefront_provider_retries", "Charges sent again under the same key"
        )
        self.job_failures = self._counter(
            "storefront_job_failures", "Turns of a job that an unforeseen error ended", "job"
        )
        self.connection_wait_s = self._histogram(
            "db_client_connection_wait_time_seconds", "Time until a connection was lent"
        )
        self._active = self._gauge("http_server_active_requests", "Requests in flight", "priority")
        self._limit = self._gauge(
            "storefront_in_flight_limit", "How many requests may be in flight", "priority"
        )
        self._breaker = self._gauge("storefront_breaker_state", "1 where it is", "breaker", "state")
        self._gauge("storefront_replica_info", "Which replica this is", "replica").labels(
            replica
        ).set(1)

    def count_request(self, method: str, route: str, *, status: int, duration_s: float) -> None:
        self.request_duration_s.labels(method, route, status).observe(duration_s)

    def count_paid(self, minor_units: int) -> None:
        self.paid_orders.inc()
        self.gmv_minor_units.inc(minor_units)

    def watch_pool(self, database: Database) -> None:
        """Read the pool at each scrape, and hear of each wait for one of its connections."""
        connections = self._gauge(
            "db_client_connection_count", "Open database connections", "state"
        )
        connections.labels("idle").set_function(lambda: database.idle_connections)
        connections.labels("used").set_function(
            lambda: database.open_connections - database.idle_connections
        )
        self._gauge("db_client_connection_max", "Most connections").set(database.size)
        waiting = self._gauge(
            "db_client_connection_pending_requests", "Those who wait for a connection"
        )
        waiting.set_function(lambda: database.waiting)
        database.wait_watchers.append(self.connection_wait_s.observe)

    def watch_in_flight(self, priority: str, limit: InFlight) -> None:
        """Read how many requests of `priority` are in flight, and how many may be."""
        self._active.labels(priority).set_function(lambda: limit.in_flight)
        self._limit.labels(priority).set_function(lambda: limit.now)

    def watch_breaker(self, name: str, state: Callable[[], str], states: Iterable[str]) -> None:
        """Show which of `states` the breaker `name` is in, as 1 beside 0s."""
        for each in states:
            self._breaker.labels(name, each).set_function(partial(_is_in, state, each))

    def exposition(self) -> bytes:
        return generate_latest(self.registry)

    def _counter(self, name: str, help_: str, *labels: str) -> Counter:
        return Counter(name, help_, labels, registry=self.registry)

    def _gauge(self, name: str, help_: str, *labels: str) -> Gauge:
        return Gauge(name, help_, labels, registry=self.registry)

    def _histogram(self, name: str, help_: str, *labels: str) -> Histogram:
        return Histogram(name, help_, labels, buckets=BUCKETS_S, registry=self.registry)


def _is_in(state: Callable[[], str], wanted: str) -> float:
    return float(state() == wanted)
