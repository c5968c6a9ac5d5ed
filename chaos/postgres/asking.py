"""Statements to the database's nodes, each on a connection of its own, past the proxy."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

import asyncpg

from chaos.hands import Hands
from chaos.probe import is_ended
from doorbuster.components import DatabaseNode
from doorbuster.errors import DoorbusterError, said_by
from doorbuster.faults import Fault

CONNECT_BOUND_S = 2.0
STATEMENT_BOUND_S = 3.0
LOOK_EVERY_S = 0.02

DATABASE_ERRORS = (
    OSError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    # What asyncpg says when the connection breaks in the middle of a statement's preparation.
    asyncpg.InternalClientError,
)

# What we change must not wait for a standby: another fault may have taken that.
SETTINGS = {"synchronous_commit": "local"}

TIMELINE = """
    SELECT CASE WHEN pg_is_in_recovery() THEN 0
    ELSE ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int END
"""


@dataclass(frozen=True)
class Pair:
    """Who is primary now, and who is to take over."""

    primary: DatabaseNode
    standby: DatabaseNode


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
            f"this fault needs one primary and a standby; who is recovering: {recovering}"
        )
    return Pair(candidates[0], standbys[0])


def find_primary(nodes: Sequence[DatabaseNode]) -> DatabaseNode:
    """Return the primary: of two who think that they are, the one that was promoted last."""
    timelines = {node.component.name: timeline_of(node) for node in nodes}
    primary = max(nodes, key=lambda node: timelines[node.component.name])
    if not timelines[primary.component.name]:
        raise DoorbusterError(f"no database node is primary; their timelines: {timelines}")
    return primary


def timeline_of(node: DatabaseNode) -> int:
    """Return the number of the history that a primary writes; 0 for any other node."""
    try:
        answered = ask(node.direct_dsn, TIMELINE)
    except DATABASE_ERRORS:
        return 0
    assert isinstance(answered, int)
    return answered


def is_recovering(node: DatabaseNode) -> bool | None:
    """Return whether `node` follows another one, or None when it does not say."""
    try:
        return bool(ask(node.direct_dsn, "SELECT pg_is_in_recovery()"))
    except DATABASE_ERRORS:
        return None


def ask(dsn: str, question: str, *parameters: object, bound_s: float = STATEMENT_BOUND_S) -> object:
    """Run one statement on a connection of its own and return its first value."""
    return asyncio.run(answer(dsn, question, parameters, bound_s))


async def answer(dsn: str, question: str, parameters: Sequence[object], bound_s: float) -> object:
    async with connected(dsn, SETTINGS) as connection:
        return await connection.fetchval(question, *parameters, timeout=bound_s)


@asynccontextmanager
async def connected(
    dsn: str, settings: dict[str, str] | None = None
) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    connection = await asyncpg.connect(
        dsn, timeout=CONNECT_BOUND_S, ssl=False, server_settings=settings
    )
    try:
        yield connection
    finally:
        with suppress(*DATABASE_ERRORS):  # What was asked has been answered, or has raised.
            await connection.close(timeout=CONNECT_BOUND_S)


def insist(deed: Callable[[], object], *, what: str, bound_s: float) -> None:
    """Do it until the database takes it: its node may be coming up again just now."""
    give_up_s = time.monotonic() + bound_s
    while True:
        try:
            deed()
        except (*DATABASE_ERRORS, DoorbusterError) as error:
            if time.monotonic() > give_up_s:
                raise DoorbusterError(f"{what}: {said_by(error)}") from error
            time.sleep(LOOK_EVERY_S)
        else:
            return


def require(condition: bool, what: str) -> None:
    if not condition:
        raise DoorbusterError(what)


def has_died(node: DatabaseNode, fault: Fault, hands: Hands) -> bool:
    """Say whether a node that a fault was on has ended meanwhile; then there is nobody to heal."""
    died = is_ended(node.component)
    if died:
        hands.step("died meanwhile", fault=fault.name, node=node.component.name)
    return died
