"""The failover of Postgres, step by step: the primary ends, the standby is freed and promoted."""

import asyncio
import time
from contextlib import ExitStack, contextmanager
from functools import partial

from chaos.calls import Call, switch_call
from chaos.hands import Acting, Hands, stuck
from chaos.postgres.asking import (
    DATABASE_ERRORS,
    STATEMENT_BOUND_S,
    Pair,
    ask,
    connected,
    find_pair,
)
from chaos.probe import is_ended, is_stopped
from chaos.processes.pausing import resume
from doorbuster.components import DatabaseNode, require_proxy
from doorbuster.errors import DoorbusterError
from doorbuster.faults import Failover, Fault

PROMOTE_BOUND_S = 10
FIRST_WRITE_BOUND_S = 15.0
TRY_EVERY_S = 0.02
FENCE = "the fence"
"""Who wants an old primary's proxy shut: not the fault, whose end does not open it."""

FIRST_WRITE = """
    CREATE SCHEMA doorbuster_probe;
    CREATE TABLE doorbuster_probe.writes (at timestamptz NOT NULL);
    INSERT INTO doorbuster_probe.writes VALUES (clock_timestamp());
    DROP TABLE doorbuster_probe.writes;
    DROP SCHEMA doorbuster_probe;
"""
"""A real write, sent as one transaction, that leaves nothing in the shop's books."""


@contextmanager
def failed_over(fault: Fault, kind: Failover, hands: Hands) -> Acting:
    """End the primary on entry; on exit do what the operators of a shop do about it.

    The time between is the detection time. The exit does its part also when the run is stopped
    meanwhile: without a primary nobody can read the shop's books.
    """
    pair = find_pair(hands.topology.database)
    with ExitStack() as mending:
        if kind.by == "pause":
            mending.callback(resume, pair.primary.component, fault, hands)
        if kind.lose == "machine":
            mending.callback(switch_replication, fault, hands, enabled=True)
            # A killed process alone loses nothing on loopback: what it sent still arrives.
            switch_replication(fault, hands, enabled=False)
        mending.callback(take_over, pair, fault, kind, hands)
        lose_primary(pair, fault, kind, hands)
        yield None


def switch_replication(fault: Fault, hands: Hands, *, enabled: bool) -> None:
    for proxy in hands.topology.proxies["replication"]:
        switch(proxy, fault, hands, enabled=enabled, by=fault.name)


def switch(proxy: str, fault: Fault, hands: Hands, *, enabled: bool, by: str) -> None:
    with hands.called(switch_call(proxy, enabled=enabled), fault=fault.name):
        if enabled:
            hands.open(proxy, fault=by)
        else:
            hands.shut(proxy, fault=by)


def lose_primary(pair: Pair, fault: Fault, kind: Failover, hands: Hands) -> None:
    component = pair.primary.component
    if kind.by == "kill":
        with hands.called(Call("SIGKILL", component.name), fault=fault.name):
            component.kill()
        hands.given_up.add(component.name)
        hands.require_seen(partial(is_ended, component), what=f"the end of {component.name}")
    else:
        with hands.called(Call("SIGSTOP", component.name), fault=fault.name):
            component.pause()
        hands.require_seen(partial(is_stopped, component), what=f"the stop of {component.name}")
    hands.step("primary ended", fault=fault.name, node=component.name, by=kind.by)


def take_over(pair: Pair, fault: Fault, kind: Failover, hands: Hands) -> None:
    """Fence the old primary, promote the standby, and wait for the first write."""
    name, node = fault.name, pair.standby.component.name
    hands.step("detected", fault=name)
    try:
        if kind.fence:
            switch(pair.primary.proxy, fault, hands, enabled=False, by=FENCE)
            hands.step("fenced", fault=name, node=pair.primary.component.name)
        raise_up(pair.standby, fault, hands)
    except (DoorbusterError, *DATABASE_ERRORS) as error:
        require_proxy(hands.topology)  # nothing is mended without it, and it has a message
        by_hand = f"SELECT pg_promote() on {node} ({pair.standby.component.address})"
        raise stuck(name, error, by_hand=by_hand) from error


def raise_up(standby: DatabaseNode, fault: Fault, hands: Hands) -> None:
    """Make a standby primary, and see the first write on it."""
    node = standby.component.name
    free(standby)
    hands.step("standby freed", fault=fault.name, node=node)
    promote(standby)
    hands.step("promoted", fault=fault.name, node=node)
    await_first_write(standby)
    hands.step("first write", fault=fault.name, node=node)


def free(standby: DatabaseNode) -> None:
    """Make commits on a node wait for nobody: a copy of the primary waits for itself."""
    ask(standby.direct_dsn, "ALTER SYSTEM SET synchronous_standby_names = ''")
    ask(standby.direct_dsn, "SELECT pg_reload_conf()")


def promote(standby: DatabaseNode) -> None:
    question = f"SELECT pg_promote(wait => true, wait_seconds => {PROMOTE_BOUND_S})"
    if ask(standby.direct_dsn, question, bound_s=PROMOTE_BOUND_S + 2.0) is not True:
        raise DoorbusterError(f"not promoted within {PROMOTE_BOUND_S} s")


def await_first_write(node: DatabaseNode) -> None:
    """Write the way the shop does, through the proxy, until it works."""
    give_up_s = time.monotonic() + FIRST_WRITE_BOUND_S
    while True:
        try:
            asyncio.run(write(node.proxied_dsn))
        except DATABASE_ERRORS as error:
            if time.monotonic() > give_up_s:
                raise DoorbusterError(
                    f"no write within {FIRST_WRITE_BOUND_S:g} s of the promotion: {error!r}"
                ) from error
            time.sleep(TRY_EVERY_S)
        else:
            return


async def write(dsn: str) -> None:
    async with connected(dsn) as connection:
        await connection.execute(FIRST_WRITE, timeout=STATEMENT_BOUND_S)
