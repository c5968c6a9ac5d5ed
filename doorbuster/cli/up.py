"""`doorbuster up`: the stack of a plan, with its sale open, for people to look around in."""

import tempfile
import time
from pathlib import Path
from typing import Final

from doorbuster.backoffice import BackOffice
from doorbuster.cli.acting import act
from doorbuster.cli.guard import WAITING_LEASE_S, Guard
from doorbuster.cli.interrupts import Interrupts, listening
from doorbuster.cli.plans import DEFAULT_PLAN, PlanArgument, SetOption, find_plan
from doorbuster.cli.plug import Plug, ProxyOption
from doorbuster.cli.screen import Screen
from doorbuster.clock import Clock
from doorbuster.components import Topology
from doorbuster.errors import DoorbusterError, PlanError
from doorbuster.journal import Journal
from doorbuster.plan import Plan
from doorbuster.rundir import RunDirectory, stamp_now
from doorbuster.watch import Watch

LOOK_EVERY_S: Final = 0.2
LOOK_AT_PARTS_EVERY_S: Final = 2.0


def up(
    plan: PlanArgument = DEFAULT_PLAN, changes: SetOption = None, proxy: ProxyOption = "auto"
) -> int:
    """Start a plan's stack, open its sale, print the URLs, and end it all at Ctrl-C."""
    loaded = find_plan(plan, changes=changes or ()).plan
    if loaded.target is not None:
        raise PlanError(f"{plan}: its shop runs elsewhere, at {loaded.target.base_url}, already")
    stamp = stamp_now()
    with tempfile.TemporaryDirectory(prefix="doorbuster-up-") as folder:
        run = RunDirectory(Path(folder) / f"{loaded.name}-up" / stamp)
        run.create()
        screen = Screen(loaded, Watch(loaded, run))
        with listening() as interrupts, Journal(run.journal) as journal:

            def show(guard: Guard) -> None:
                plug = Plug(loaded, run, guard, journal, screen, interrupts)
                with plug.stack() as topology:
                    open_sale(loaded, topology, run)
                    for line in described(topology):
                        screen.say(line)
                    wait(topology, guard, screen, interrupts)

            return act(run, journal=journal, screen=screen, proxy=proxy, body=show)


def open_sale(plan: Plan, topology: Topology, run: RunDirectory) -> None:
    """Stock the shop as the plan says; its sale has begun just now and has no end."""
    endless = plan.model_copy(update={"sale": plan.sale.model_copy(update={"closes_at": None})})
    with BackOffice(topology, run) as shop:
        shop.open_sale(endless, Clock(time.monotonic() - plan.opens_s))


def described(topology: Topology) -> list[str]:
    """Return where everything is, a line each."""
    rows = [
        ("shop, for people and shoppers", f"{topology.shop_url}/"),
        ("shop, past the proxy", topology.shop_direct_url),
        ("ops token of the shop", topology.ops_token),
        ("payment provider", topology.provider_direct_url),
        ("Toxiproxy API", topology.proxy_api),
        *((node.component.name, node.direct_dsn) for node in topology.database),
    ]
    if topology.redis_direct_url is not None:
        rows.append(("Redis", topology.redis_direct_url))
    width = max(len(name) for name, _ in rows)
    return [*(f"{name:<{width}}  {where}" for name, where in rows), "Ctrl-C ends it all"]


def wait(topology: Topology, guard: Guard, screen: Screen, interrupts: Interrupts) -> None:
    """Keep the watchdog quiet until somebody stops us; say which part has ended meanwhile."""
    ended: set[str] = set()
    looked_s = time.monotonic()
    while not interrupts.asked:
        guard.watchdog.renew(WAITING_LEASE_S)
        if not guard.watchdog.alive:
            raise DoorbusterError("the watchdog died: nobody would clean up after this")
        time.sleep(LOOK_EVERY_S)
        if time.monotonic() - looked_s > LOOK_AT_PARTS_EVERY_S:
            looked_s = time.monotonic()
            for name in sorted(gone(topology) - ended):
                ended.add(name)
                screen.say(f"{name} has ended")


def gone(topology: Topology) -> set[str]:
    return {name for name, component in topology.components.items() if not component.pids()}
