"""One-second samples of a run, as they are written down under `series/`.

Every `second` is on the run's clock, negative during warm-up. Rows of `OperationSecond` and
`GeneratorSecond` are additive: a late outcome, or another generator process, adds a row for a
second that already has one, and readers sum.
"""

import msgspec


class OperationSecond(msgspec.Struct, frozen=True, omit_defaults=True):
    """Operations that were *due* in one second, by outcome (`series/operations-*.ndjson`).

    `due` counts those whose outcome is known by now; `served` are ok or refused within the
    operation's limit, `good` are ok within it. `begun` counts those that were begun, whether their
    outcome is known or not, but for those that the shop itself calls pending; it is 0 where nobody
    counts them, and a row that takes some back is negative.
    """

    second: int
    op: str
    due: int = 0
    ok: int = 0
    refused: int = 0
    fail: int = 0
    info: int = 0
    served: int = 0
    good: int = 0
    begun: int = 0


class GeneratorSecond(msgspec.Struct, frozen=True, omit_defaults=True):
    """The generator itself in one second (`series/generator-*.ndjson`).

    `offered` arrivals were due in it, `started` of those began, `missed` could not; `late` of the
    started began later than the plan's `max_lateness`. The rest are gauges at the end of the
    second: sessions in flight, and the share of a core it used. `worker` is the number of the
    generator process, which its files carry.
    """

    second: int
    offered: int = 0
    started: int = 0
    missed: int = 0
    late: int = 0
    in_flight: int = 0
    cpu_share: float = 0.0
    worker: int = 0


class FunnelSecond(msgspec.Struct, frozen=True, omit_defaults=True):
    """Sessions that ended, by the second they were due in (`series/funnel-*.ndjson`).

    `stage` is the furthest that they reached, `lost` why they came no further, None when they
    paid. Whoever arrived and is in no row was under way when the generator was killed.
    """

    second: int
    persona: str
    channel: str
    stage: str
    sessions: int
    lost: str | None = None


class StockSecond(msgspec.Struct, frozen=True):
    """The shop's stock of one SKU as its own inventory endpoint gave it (`series/stock.ndjson`)."""

    at_s: float
    sku: str
    initial: int
    available: int
    reserved: int
    sold: int


class ProcessSecond(msgspec.Struct, frozen=True):
    """CPU (share of one core) and memory of one component (`series/processes.ndjson`)."""

    at_s: float
    component: str
    cpu_share: float
    rss_bytes: int


class ReplicationSecond(msgspec.Struct, frozen=True):
    """How far the standby is behind, by the primary's own view (`series/replication.ndjson`)."""

    at_s: float
    primary: str
    lag_bytes: int
    lag_s: float
