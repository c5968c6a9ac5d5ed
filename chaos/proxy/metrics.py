"""`/metrics` in Prometheus' text format: bytes by proxy, and figures of this process."""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.gc_collector import GCCollector
from prometheus_client.metrics_core import CounterMetricFamily, Metric
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from chaos.proxy.tally import Totals


class ByteCounters(Collector):
    """Toxiproxy's two counters."""

    def __init__(self, totals: Totals) -> None:
        self._totals = totals

    def collect(self) -> Iterator[Metric]:
        for verb, totals in self._totals:
            name = f"toxiproxy_proxy_{verb}_bytes"
            family = CounterMetricFamily(
                name, "", labels=("direction", "proxy", "listener", "upstream")
            )
            for labels, count in sorted(totals.items()):
                family.add_metric(labels, count)
            if totals:
                yield family


class Metrics:
    """What `/metrics` shows.

    Args:
        totals: The counters of bytes, if they are wanted.
        runtime: Whether to show the process: `process_*` as Toxiproxy does, and `python_*` where
            it has `go_*`.
    """

    content_type = "text/plain; version=0.0.4; charset=utf-8; escaping=underscores"

    def __init__(self, totals: Totals | None, *, runtime: bool) -> None:
        self._registry = CollectorRegistry()
        if totals is not None:
            self._registry.register(ByteCounters(totals))
        if runtime:
            ProcessCollector(registry=self._registry)
            PlatformCollector(registry=self._registry)
            GCCollector(registry=self._registry)

    def text(self) -> bytes:
        return generate_latest(self._registry)
