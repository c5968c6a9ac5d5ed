"""Finding the Postgres node that takes writes.

asyncpg can be given several hosts, but one timeout then covers them all, so a paused first node
keeps it from ever reaching the second, and a proxy that accepts and closes at once counts as a
refusal by the server rather than as a reason to go on. Hence the loop here.
"""

import asyncio
from collections.abc import Sequence
from typing import TypeAlias

import asyncpg

NodeConnection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
Connection: TypeAlias = (
    "asyncpg.Connection[asyncpg.Record] | asyncpg.pool.PoolConnectionProxy[asyncpg.Record]"
)

UNREACHABLE = (
    OSError,  # includes TimeoutError and every ConnectionError
    EOFError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)

SESSION = {
    # Every statement finds its rows by key: planning it anew each time costs more than running it.
    "plan_cache_mode": "force_generic_plan",
    # A paused replica would otherwise keep its row locks for as long as it sleeps.
    "idle_in_transaction_session_timeout": "5000",
    # Sessions that we gave up would otherwise queue for rows until they get them.
    "client_connection_check_interval": "1000",
}
"""What the server does for every connection; limits are milliseconds, where we cannot set them."""


class NoPrimaryError(ConnectionError):
    """None of the nodes takes writes now."""


class Primary:
    """Opens connections to whichever node is primary, beginning with the one that last was.

    A node that failed goes to the end of the queue at once, not after the whole round: a caller
    whose deadline ends the round early has then at least moved the next caller on.
    """

    def __init__(
        self,
        dsns: Sequence[str],
        *,
        application: str,
        connect_timeout_s: float = 1.0,
    ) -> None:
        self._dsns = list(dsns)
        self._session = SESSION | {"application_name": application}
        self._connect_timeout_s = connect_timeout_s
        self._current: str | None = None

    async def connect(self, *, command_timeout_s: float | None) -> tuple[NodeConnection, bool]:
        """Return a connection to the primary, and whether the primary has moved since the last.

        Raises:
            NoPrimaryError: Every node failed, is a standby, or did not answer in time.
        """
        failures = []
        for dsn in list(self._dsns):
            try:
                connection = await self._try(dsn, command_timeout_s)
            except UNREACHABLE as error:
                failures.append(f"{dsn.rpartition('@')[2]}: {error!r}")
                self._send_to_back(dsn)
            else:
                moved = self._current not in (None, dsn)
                self._current = dsn
                return connection, moved
        raise NoPrimaryError("; ".join(failures))

    def _send_to_back(self, dsn: str) -> None:
        self._dsns.remove(dsn)
        self._dsns.append(dsn)

    async def _try(self, dsn: str, command_timeout_s: float | None) -> NodeConnection:
        async with asyncio.timeout(self._connect_timeout_s):
            connection = await asyncpg.connect(
                dsn,
                ssl=False,
                timeout=self._connect_timeout_s,
                command_timeout=command_timeout_s,
                server_settings=self._session,
            )
            try:
                await _refuse_standby(connection)
            except BaseException:
                connection.terminate()
                raise
            return connection


async def _refuse_standby(connection: Connection) -> None:
    if await connection.fetchval("SELECT pg_is_in_recovery()"):
        raise NoPrimaryError("is a standby")
