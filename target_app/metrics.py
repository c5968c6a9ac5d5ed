"""What a replica counts about itself, in a registry of its own."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from target_app.database.pool import Database

BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


class Metrics:
    """Counters of one replica."""

    def __init__(self, replica: str) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "storefront_requests",
            "Requests answered",
            ("method", "route", "status"),
            registry=self.registry,
        )
        self.request_duration_s = Histogram(
            "storefront_request_seconds",
            "Time from request to the end of the answer",
            ("method", "route"),
            buckets=BUCKETS_S,
            registry=self.registry,
        )
        self.order_moves = Counter(
            "storefront_order_transitions",
            "Orders moved, once committed",
            ("source", "target"),
            registry=self.registry,
        )
        self.provider_calls = Counter(
            "storefront_provider_calls",
            "Calls to the payment provider",
            ("call", "result"),
            registry=self.registry,
        )
        self.provider_timeouts = Counter(
            "storefront_provider_timeouts",
            "Calls to the payment provider that were given up",
            registry=self.registry,
        )
        self.provider_retries = Counter(
            "storefront_provider_retries",
            "Charges sent again under the same key",
            registry=self.registry,
        )
        Gauge(
            "storefront_replica_info", "Which replica this is", ("replica",), registry=self.registry
        ).labels(replica).set(1)

    def watch_pool(self, database: Database) -> None:
        """Read the pool at each scrape."""
        gauges = {
            "limit": lambda: database.size,
            "open": lambda: database.open_connections,
            "idle": lambda: database.idle_connections,
            "waiting": lambda: database.waiting,
        }
        for name, read in gauges.items():
            gauge = Gauge(
                f"storefront_pool_{name}",
                f"Database connections: {name}",
                registry=self.registry,
            )
            gauge.set_function(read)

    def exposition(self) -> bytes:
        return generate_latest(self.registry)
