"""A small good plan, and small stand-ins for what a run acts through."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field

from doorbuster.clock import Clock
from doorbuster.components import Topology
from doorbuster.faults import Fault
from doorbuster.gate import Gate
from doorbuster.plan import Plan, load_plan
from doorbuster.run import Parts

PLAN = """\
name: tiny
seed: 7
storefront: {replicas: 1, hold: 15s}
sale:
  opens_at: rush
  closes_at: rush+9s
  items:
    - {sku: HOT-1, stock: 20, price: "99.00", demand: 80%}
    - {sku: "BASE-{n}", count: 3, stock: 100, price: "19.90", demand: 20%}
traffic:
  warmup: 2s
  arrivals:
    - {phase: baseline, for: 5s, rate: 20/s}
    - {phase: rush, for: 10s, rate: 20/s -> 60/s, burst: {visitors: 30, spread: 1s}}
faults:
  - {at: rush+1s, for: 2s, on: payments, latency: {delay: 2s}}
  - {at: rush+4s, on: postgres, failover: {detection: 1s}}
good_within: {reserve: 800ms}
budgets:
  - p99(reserve) <= 800ms during rush outside faults
  - recovery("payments latency") <= 10s
stop:
  - errors > 60% for 5s
"""

QUICK = """\
name: quick
storefront: {hold: 0s}
sale:
  opens_at: rush
  items: [{sku: HOT-1, stock: 20, price: "99.00", demand: 100%}]
traffic:
  warmup: 0s
  arrivals:
    - {phase: baseline, for: 5ms, rate: 20/s}
    - {phase: rush, for: 15ms, rate: 20/s}
faults:
  - {at: rush+2ms, for: 5ms, on: payments, latency: {delay: 2s}}
"""
"""A plan that a run loop gets through in a fiftieth of a second."""

LONG = QUICK.replace("for: 15ms", "for: 60s").replace("for: 5ms, on", "for: 30s, on")
"""The same, for runs that something ends in mid-fault, however slow the machine."""


def changed(old: str, new: str, text: str = PLAN) -> str:
    """Return `text` with its one `old` replaced: a test that changes nothing would test nothing."""
    assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in the plan"
    return text.replace(old, new)


def plan_of(text: str = PLAN) -> Plan:
    return load_plan(text, source="plan.yaml", environ={}).plan


def topology() -> Topology:
    return Topology(
        run_id="tiny-1",
        components={},
        database=(),
        proxies={},
        proxy_api="http://127.0.0.1:1",
        shop_url="http://127.0.0.1:2",
        shop_direct_url="http://127.0.0.1:3",
        provider_direct_url="http://127.0.0.1:4",
        ops_token="secret",
    )


def nothing() -> None:
    """Do nothing: the default of what a test can put in."""


@dataclass
class FakeParts:
    """Parts that write down what is done with them; a test replaces what is to go wrong."""

    done: list[str] = field(default_factory=list)
    on_tick: Callable[[], None] = nothing
    on_traffic: Callable[[], None] = nothing
    on_stack_exit: Callable[[], None] = nothing
    on_lift: Callable[[], None] = nothing
    on_check: Callable[[], None] = nothing
    read_ledger: Callable[[], int] = lambda: 3
    read_provider: Callable[[], int] = lambda: 2
    is_quiet: Callable[[], bool] = lambda: True
    steady: bool = True
    standing: Callable[[], list[str]] = list

    def parts(self) -> Parts:
        return Parts(
            stack=self._stack,
            traffic=self._traffic,
            shop=lambda _: nullcontext(self),
            inflict=self._inflict,
            standing=lambda _: self.standing(),
            sample=lambda topology, clock: nullcontext(),
            tick=lambda clock: self.on_tick(),
            gate=lambda: Gate(self.steady, 1.0, "as the test says"),
        )

    @contextmanager
    def _traffic(self, _: Topology) -> Iterator["FakeParts"]:
        self.on_traffic()
        yield self

    @contextmanager
    def _stack(self) -> Iterator[Topology]:
        self.done.append("stack up")
        try:
            yield topology()
        finally:
            self.done.append("stack down")
            self.on_stack_exit()

    @contextmanager
    def _inflict(self, fault: Fault, _topology: Topology) -> Iterator[Callable[[], None]]:
        self.done.append(f"inflict {fault.name}")
        try:
            yield lambda: self.done.append(f"beat {fault.name}")
        finally:
            self.done.append(f"lift {fault.name}")
            self.on_lift()

    def begin(self, clock: Clock) -> None:
        self.done.append("traffic begins")

    def check(self) -> None:
        self.on_check()

    def finish(self, *, now: bool) -> None:
        self.done.append("traffic stops at once" if now else "traffic finishes")

    def open_sale(self, plan: Plan, clock: Clock) -> None:
        self.done.append("sale set")
