"""Plugs the parts of one run together: watchdog, stack, traffic, faults, samples, the screen."""

import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from msgspec.structs import asdict

from chaos.inflict import Hands, inflict
from chaos.standing import fallen, standing
from chaos.toxiproxy import ToxiproxyApi
from doorbuster.backoffice import BackOffice
from doorbuster.cli.guard import WAITING_LEASE_S, Guard
from doorbuster.cli.interrupts import Interrupts
from doorbuster.cli.plans import reference_shop
from doorbuster.cli.screen import Screen
from doorbuster.cli.stacks import ProxyName
from doorbuster.cli.target import offers_of, office_of, samples_of
from doorbuster.cli.traffic import Elsewhere, job, order_of, told_in_words
from doorbuster.clock import Clock
from doorbuster.components import Topology, require_proxy
from doorbuster.environment import environment
from doorbuster.errors import DoorbusterError
from doorbuster.faults import Fault
from doorbuster.journal import Journal
from doorbuster.news import News
from doorbuster.plan import KnownShop, Plan
from doorbuster.room import LEAST_MB, require_room
from doorbuster.run import Beat, Parts, Stopped, Traffic
from doorbuster.rundir import RunDirectory, write_json
from doorbuster.stack.generator import generator
from doorbuster.stack.order import RoomOrder, StackOrder
from doorbuster.stack.ports import LOOPBACK

TICKING_LEASE_S: Final = 30.0
"""While the loop ticks; beyond the longest single wait of a fault."""

LOOK_EVERY_S: Final = 0.5
LOOK_AT_PROXY_EVERY_S: Final = 2.0
"""Less often: listing the processes of a component costs some 10 ms."""

ProxyOption = Annotated[
    ProxyName,
    typer.Option("--proxy", help="Which proxy; auto takes a real Toxiproxy where there is one."),
]


def stack_order(
    plan: Plan, shop: KnownShop, *, run_id: str, logs: Path, edge_host: str = LOOPBACK
) -> StackOrder:
    """Return what to bring up for `plan`: its storefront, and what that is built on."""
    storefront = plan.storefront
    return StackOrder(
        run_id=run_id,
        logs=logs,
        open_api=partial(ToxiproxyApi, owner=f"doorbuster-{run_id}-"),
        replicas=storefront.replicas,
        reservation=storefront.reservation,
        flaws=storefront.flaws,
        replication=storefront.replication,
        hold_s=storefront.hold,
        edge_host=edge_host,
        redis=shop.has_redis(storefront),
        redis_snapshot_s=storefront.redis_snapshot,
        waiting_room=room_order(plan),
    )


def room_order(plan: Plan) -> RoomOrder | None:
    room = plan.storefront.waiting_room
    if room is None:
        return None
    return RoomOrder(room.rate, active_max=room.active, lease_s=room.lease, seed=plan.seed)


@dataclass
class Plug:
    """The parts of one run and what they share."""

    plan: Plan
    run: RunDirectory
    guard: Guard
    journal: Journal
    screen: Screen
    interrupts: Interrupts
    elsewhere: Elsewhere | None = None
    _environment: dict[str, Any] = field(default_factory=dict, init=False)
    _hands: Hands | None = field(default=None, init=False)
    _api: ToxiproxyApi | None = field(default=None, init=False)
    _looked_s: float = field(default=0.0, init=False)
    _topology: Topology | None = field(default=None, init=False)
    _proxy_looked_s: float = field(default=0.0, init=False)

    def parts(self) -> Parts:
        """Return what the run loop acts through."""
        return Parts(
            stack=self.stack,
            traffic=self._traffic,
            shop=self._shop,
            inflict=self._inflict,
            standing=self._standing,
            sample=lambda topology, clock: samples_of(self.plan, topology, clock, self.run),
            tick=self._tick,
            gate=self.screen.watch.gate,
        )

    @contextmanager
    def stack(self) -> Iterator[Topology]:
        """Bring the plan's stack up, and end it whatever happens."""
        offers = offers_of(self.plan)
        self.journal.record("stage", "point", "shop", name=self.plan.shop, offers=" ".join(offers))
        self.screen.say("starting the stack ...")
        order = stack_order(
            self.plan,
            reference_shop(),
            run_id=self.guard.run_id,
            logs=self.run.logs,
            edge_host=self.elsewhere.host if self.elsewhere else LOOPBACK,
        )
        self.interrupts.start()
        self.guard.renew(self.guard.stack.starts_within_s)
        with self.guard.stack.bring_up(order) as topology:
            self.interrupts.starting = False
            described = self._described_proxy(topology)
            self._environment = environment(proxy=described)
            write_json(self.run.environment, self._environment)
            self.screen.say(f"the shop is up at {topology.shop_url}, behind {described}")
            try:
                yield topology
            finally:
                self.interrupts.cleaning = True
                self.guard.renew(WAITING_LEASE_S)
                self.screen.say("ending the stack ...")
                if self._api is not None:
                    self._api.close()

    def _shop(self, topology: Topology) -> BackOffice:
        office = office_of(self.plan, topology, self.run)
        office.on_rows = lambda: self.guard.renew(WAITING_LEASE_S)
        return office

    def _described_proxy(self, topology: Topology) -> str:
        if not topology.proxies:
            return self.guard.stack.proxy("")
        with closing(ToxiproxyApi(topology.proxy_api)) as api:
            return self.guard.stack.proxy(api.version())

    def _traffic(self, topology: Topology) -> AbstractContextManager[Traffic]:
        self._topology = topology
        order = order_of(self.plan, self.run, topology)
        made = replace(
            job(order, self.plan, self.elsewhere),
            hear=self._hear,
            tick=lambda: self._tick(None),
        )
        return generator(made, run_id=self.guard.run_id, logs=self.run.logs.resolve())

    def _hear(self, news: News) -> None:
        """Write down what a part of the generator did, and say what people have to know."""
        told = {name: value for name, value in asdict(news).items() if value not in (None, "")}
        self.journal.record("worker", "point", told.pop("what"), **told)
        if news.what == "joined":
            workers = self._environment.setdefault("workers", {})
            workers[str(told.pop("worker"))] = told
            write_json(self.run.environment, self._environment)
        if line := told_in_words(news, self.elsewhere):
            self.screen.say(line)

    def _inflict(self, fault: Fault, topology: Topology) -> AbstractContextManager[Beat | None]:
        return inflict(fault, self._hands_on(topology))

    def _standing(self, topology: Topology) -> list[str]:
        """Look for faults that stand; where nothing is ours there is nothing to look at."""
        if not topology.proxies:
            return []
        hands = self._hands_on(topology)
        for line in fallen(hands):
            self.journal.record("note", "point", line)
            self.screen.say(line)
        return standing(hands)

    def _hands_on(self, topology: Topology) -> Hands:
        """Return what faults act with, the same for all of a run."""
        if self._hands is None:
            own = f"doorbuster-{self.guard.run_id}-"
            self._api = ToxiproxyApi(topology.proxy_api, owner=own)
            log = self.run.logs / "hooks.log"
            self._hands = Hands(
                topology,
                self._api,
                self.journal,
                seed=self.plan.seed,
                on_pledge=self.guard.watchdog.use_undo,
                on_call=lambda takes_s: self.guard.renew(WAITING_LEASE_S + takes_s),
                logs=log,
            )
        return self._hands

    def _tick(self, clock: Clock | None) -> None:
        """Keep the watchdog quiet, show what happened, and end the run where it has to end."""
        if self.interrupts.asked:
            self.screen.say("stopping: no more arrivals, faults are lifted (again: only clean up)")
            raise Stopped("by hand", by_hand=True)
        self.guard.require_watchdog()
        self._require_room()
        if clock is None:
            self.guard.renew(WAITING_LEASE_S)
            return
        now_s = clock.now_s()
        if abs(now_s - self._looked_s) < LOOK_EVERY_S:
            return
        self._looked_s = now_s
        self.guard.renew(TICKING_LEASE_S)
        self._require_proxy(now_s)
        if now_s > self.plan.limits.duration:
            raise Stopped(f"limits.duration: {now_s:.0f} s have passed", by_hand=False)
        self.screen.tick(clock)
        if condition := self.screen.watch.breach(now_s):
            raise Stopped(condition, by_hand=False)

    def _require_room(self) -> None:
        """End the run while there is room for its report: what is not written proves nothing."""
        remedy = "free some, or keep runs elsewhere with --runs"
        require_room(self.run.path, mb_min=LEAST_MB, remedy=remedy)
        if self.journal.trouble:
            raise DoorbusterError(f"{self.journal.trouble}; {remedy}")
        temporary = Path(tempfile.gettempdir())
        require_room(temporary, mb_min=LEAST_MB, remedy="free some, or set TMPDIR to elsewhere")

    def _require_proxy(self, now_s: float) -> None:
        if self._topology is not None and now_s - self._proxy_looked_s >= LOOK_AT_PROXY_EVERY_S:
            self._proxy_looked_s = now_s
            require_proxy(self._topology)
