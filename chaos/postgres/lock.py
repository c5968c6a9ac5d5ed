"""A transaction that holds the stock of one article and does not end."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import asyncpg

from chaos.calls import Call
from chaos.hands import Acting, Hands, stuck
from chaos.postgres.asking import (
    CONNECT_BOUND_S,
    DATABASE_ERRORS,
    STATEMENT_BOUND_S,
    ask,
    find_primary,
    has_died,
    insist,
)
from doorbuster.components import DatabaseNode
from doorbuster.errors import DoorbusterError
from doorbuster.faults import Fault, Lock

MARGIN_S = 5.0
"""How long after the fault's end the server would end the transaction by itself."""

LIFT_BOUND_S = 10.0
TABLES = ("stock", "stock_buckets", "stock_units")
"""Where the reference shop's strategies count an article's units."""

FREE_ROWS = "SELECT count(*) FROM (SELECT FROM stock WHERE sku = $1 FOR UPDATE SKIP LOCKED) AS free"
IS_THERE = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $1)"
HANG_UP = "SELECT pg_terminate_backend($1)"


@contextmanager
def locked(fault: Fault, kind: Lock, hands: Hands) -> Acting:
    """Hold the rows in a transaction of our own, and give them back."""
    node = find_primary(hands.topology.database)
    bound_s = fault.lifted_after_s + MARGIN_S
    with asyncio.Runner() as runner, connection_to(node, runner, bound_s=bound_s) as connection:
        pid = connection.get_server_pid()
        try:
            with hands.called(
                Call("LOCK", f"{kind.sku} on {node.component.name}"), fault=fault.name
            ):
                held = runner.run(hold(connection, kind.sku))
            if not held:
                raise DoorbusterError(f"fault {fault.name!r}: the shop has no article {kind.sku!r}")
            hands.require_seen(partial(is_held, node, kind.sku), what=f"{fault.name!r}")
            yield None
        finally:
            connection.terminate()
            give_back(node, pid, fault, hands)


@contextmanager
def connection_to(
    node: DatabaseNode, runner: asyncio.Runner, *, bound_s: float
) -> Iterator["asyncpg.Connection[asyncpg.Record]"]:
    """Connect so that the server hangs up when we have been idle for too long: we may hang."""
    settings = {
        "idle_in_transaction_session_timeout": f"{bound_s:g}s",
        "lock_timeout": f"{STATEMENT_BOUND_S:g}s",
    }
    try:
        connection = runner.run(
            asyncpg.connect(
                node.direct_dsn, timeout=CONNECT_BOUND_S, ssl=False, server_settings=settings
            )
        )
    except DATABASE_ERRORS as error:
        raise DoorbusterError(f"no connection to {node.component.name}: {error!r}") from error
    try:
        yield connection
    finally:
        connection.terminate()


async def hold(connection: "asyncpg.Connection[asyncpg.Record]", sku: str) -> int:
    """Lock the article's rows and return how many there are."""
    count = 0
    try:
        await connection.execute("BEGIN")
        for table in TABLES:
            statement = f"SELECT FROM {table} WHERE sku = $1 FOR UPDATE"
            count += len(await connection.fetch(statement, sku))
    except DATABASE_ERRORS as error:
        raise DoorbusterError(f"the rows of {sku} could not be locked: {error!r}") from error
    return count


def is_held(node: DatabaseNode, sku: str) -> bool:
    return ask(node.direct_dsn, FREE_ROWS, sku) == 0


def give_back(node: DatabaseNode, pid: int, fault: Fault, hands: Hands) -> None:
    """See that the server has let go of what the connection held; if need be, make it."""
    if has_died(node, fault, hands):
        return  # and its locks with it
    try:
        with hands.called(Call("UNLOCK", node.component.name), fault=fault.name):
            insist(partial(require_gone, node, pid), what="the lock's end", bound_s=LIFT_BOUND_S)
    except DoorbusterError as error:
        by_hand = f"SELECT pg_terminate_backend({pid}) on {node.component.name}"
        raise stuck(fault.name, error, by_hand=by_hand) from error


def require_gone(node: DatabaseNode, pid: int) -> None:
    if ask(node.direct_dsn, IS_THERE, pid):
        ask(node.direct_dsn, HANG_UP, pid)
        raise DoorbusterError(f"the connection with pid {pid} is still there")
