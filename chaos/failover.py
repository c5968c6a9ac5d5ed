"""The failover of Postgres, step by step: the primary ends, the standby is freed and promoted."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from functools import partial

import asyncpg

from chaos.calls import Call, switch_call
from chaos.hands import Hands, stuck
from chaos.probe import is_ended
from doorbuster.components import DatabaseNode
from doorbuster.errors import DoorbusterError
from doorbuster.faults import Failover, Fault

CONNECT_BOUND_S = 2.0
STATEMENT_BOUND_S = 3.0
PROMOTE_BOUND_S = 10
FIRST_WRITE_BOUND_S = 15.0
TRY_EVERY_S = 0.02

DATABASE_ERRORS = (
    OSError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    # What asyncpg says when the connection breaks in the middle of a statement's preparation.
    asyncpg.InternalClientError,
)

FIRST_WRITE = """
    CREATE SCHEMA doorbuster_probe;
    CREATE TABLE doorbuster_probe.writes (at timestamptz NOT NULL);
    INSERT INTO doorbuster_probe.writes VALUES (clock_timestamp());
    DROP TABLE doorbuster_probe.writes;
    DROP SCHEMA doorbuster_probe;
"""
"""A real write, sent as one transaction, that leaves nothing in the shop's books."""


@dataclass(frozen=True)
class Pair:
    """Who is primary now, and who is to take over."""

    primary: DatabaseNode
    standby: DatabaseNode


@contextmanager
def failed_over(fault: Fault, kind: Failover, hands: Hands) -> Iterator[None]:
    """End the primary on entry; on exit do what the operators of a shop do about it.

    The time between is the detection time. The exit does its part also when the run is stopped
    meanwhile: without a primary nobody can read the shop's books.
    """
    pair = find_pair(hands.topology.database)
    with ExitStack() as mending:
        if kind.lose == "machine":
            mending.callback(switch_replication, fault, hands, enabled=True)
            # A killed process alone loses nothing on loopback: what it sent still arrives.
            switch_replication(fault, hands, enabled=False)
        mending.callback(take_over, pair, fault, kind, hands)
        end_primary(pair, fault, hands)
        yield


def find_pair(nodes: Sequence[DatabaseNode]) -> Pair:
    """Ask every node, since an earlier failover may have turned them round.

    A primary that another fault has paused or killed says nothing: it is the silent one.
    """
    recovering = {node.component.name: is_recovering(node) for node in nodes}
    standbys = [node for node in nodes if recovering[node.component.name] is True]
    primaries = [node for node in nodes if recovering[node.component.name] is False]
    silent = [node for node in nodes if recovering[node.component.name] is None]
    candidates = primaries or silent
    if len(candidates) != 1 or not standbys:
        raise DoorbusterError(
            f"a failover needs one primary and a standby; who is recovering: {recovering}"
        )
    return Pair(candidates[0], standbys[0])


def is_recovering(node: DatabaseNode) -> bool | None:
    """Return whether `node` follows another one, or None when it does not say."""
    try:
        return bool(ask(node.direct_dsn, "SELECT pg_is_in_recovery()"))
    except DATABASE_ERRORS:
        return None


def switch_replication(fault: Fault, hands: Hands, *, enabled: bool) -> None:
    for proxy in hands.topology.proxies["replication"]:
        switch(proxy, fault, hands, enabled=enabled)


def switch(proxy: str, fault: Fault, hands: Hands, *, enabled: bool) -> None:
    with hands.called(switch_call(proxy, enabled=enabled), fault=fault.name):
        if enabled:
            hands.open(proxy, fault=fault.name)
        else:
            hands.shut(proxy, fault=fault.name)


def end_primary(pair: Pair, fault: Fault, hands: Hands) -> None:
    component = pair.primary.component
    with hands.called(Call("SIGKILL", component.name), fault=fault.name):
        component.kill()
    hands.require_seen(partial(is_ended, component), what=f"the end of {component.name}")
    hands.step("primary ended", fault=fault.name, node=component.name)


def take_over(pair: Pair, fault: Fault, kind: Failover, hands: Hands) -> None:
    """Fence the old primary, promote the standby, and wait for the first write."""
    name, node = fault.name, pair.standby.component.name
    hands.step("detected", fault=name)
    try:
        if kind.fence:
            switch(pair.primary.proxy, fault, hands, enabled=False)
            hands.step("fenced", fault=name, node=pair.primary.component.name)
        free(pair.standby)
        hands.step("standby freed", fault=name, node=node)
        promote(pair.standby)
        hands.step("promoted", fault=name, node=node)
        await_first_write(pair.standby)
    except (DoorbusterError, *DATABASE_ERRORS) as error:
        by_hand = f"SELECT pg_promote() on {node} ({pair.standby.component.address})"
        raise stuck(name, error, by_hand=by_hand) from error
    hands.step("first write", fault=name, node=node)


def free(standby: DatabaseNode) -> None:
    """Make commits on the standby wait for nobody: a copy of the primary waits for itself."""
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


def ask(dsn: str, question: str, *, bound_s: float = STATEMENT_BOUND_S) -> object:
    """Run one statement on a connection of its own and return its first value."""
    return asyncio.run(answer(dsn, question, bound_s))


async def answer(dsn: str, question: str, bound_s: float) -> object:
    async with connected(dsn) as connection:
        return await connection.fetchval(question, timeout=bound_s)


async def write(dsn: str) -> None:
    async with connected(dsn) as connection:
        await connection.execute(FIRST_WRITE, timeout=STATEMENT_BOUND_S)


@asynccontextmanager
async def connected(dsn: str) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    connection = await asyncpg.connect(dsn, timeout=CONNECT_BOUND_S, ssl=False)
    try:
        yield connection
    finally:
        with suppress(*DATABASE_ERRORS):  # What was asked has been answered, or has raised.
            await connection.close(timeout=CONNECT_BOUND_S)
