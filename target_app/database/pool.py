"""A pool of connections to the primary in which nothing waits without a deadline.

What the caller learns: `UnavailableError` means that nothing was done, `UnknownOutcomeError` that
the commit was sent and nobody can say. A connection that failed or hung is never used again.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from target_app.database.primary import (
    UNREACHABLE,
    Connection,
    NodeConnection,
    NoPrimaryError,
    Primary,
)

ACQUIRE_TIMEOUT_S = 1.5
"""Whoever has waited this long for a connection is told that there is none."""

OUTAGE_CLASSES = frozenset({"08", "25", "40", "53", "55", "57", "58"})
"""SQLSTATE classes that say something about the server, not about the statement."""


class UnavailableError(Exception):
    """No database took the work in time, and nothing was done."""


class UnknownOutcomeError(Exception):
    """The connection was lost during a commit: it may or may not have happened."""


def is_outage(error: BaseException, *, closed: bool) -> bool:
    if isinstance(error, asyncpg.PostgresError):
        return closed or str(error.sqlstate)[:2] in OUTAGE_CLASSES
    if isinstance(error, asyncpg.InterfaceError):
        return closed
    return isinstance(error, (*UNREACHABLE, asyncio.CancelledError))


def is_closed(connection: Connection) -> bool:
    try:
        return connection.is_closed()
    except asyncpg.InterfaceError:
        return True  # the pool saw it die first and has taken it back


def discard(connection: Connection) -> None:
    if not is_closed(connection):
        connection.terminate()


class Database:
    """Connections and transactions on the primary, wherever it is.

    Attributes:
        size: How many connections there may be.
        waiting: Those who wait for one now.
        wait_watchers: Told of each wait in line that was not given up, in seconds.
    """

    def __init__(
        self,
        primary: Primary,
        *,
        size: int,
        acquire_timeout_s: float = ACQUIRE_TIMEOUT_S,
        command_timeout_s: float = 2.0,
    ) -> None:
        self.size = size
        self.waiting = 0
        self.wait_watchers: list[Callable[[float], None]] = []
        self._turns = asyncio.Semaphore(size)
        self._primary = primary
        self._acquire_timeout_s = acquire_timeout_s
        self._command_timeout_s = command_timeout_s
        self._pool: asyncpg.Pool[asyncpg.Record] = asyncpg.create_pool(
            min_size=0,
            max_size=size,
            max_inactive_connection_lifetime=0,
            connect=self._connect,
            reset=_nothing_to_reset,
        )

    async def __aenter__(self) -> "Database":
        await self._pool
        return self

    async def __aexit__(self, *_error: object) -> None:
        self._pool.terminate()

    @property
    def open_connections(self) -> int:
        return self._pool.get_size()

    @property
    def idle_connections(self) -> int:
        return self._pool.get_idle_size()

    async def fill(self) -> None:
        """Open every connection now: the opening rush should not have to wait for logins."""
        async with AsyncExitStack() as held:
            for _ in range(self.size):
                await held.enter_async_context(self.connection())

    async def dedicated(self) -> NodeConnection:
        """Return a connection outside the pool and its deadlines, for one long read."""
        try:
            connection, _moved = await self._primary.connect(command_timeout_s=None)
        except NoPrimaryError as error:
            raise UnavailableError(str(error)) from error
        return connection

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """Lend a connection; statements run one by one, each committed as it ends."""
        connection = await self._acquire()
        try:
            yield connection
        except UNREACHABLE as error:
            if not is_outage(error, closed=is_closed(connection)):
                raise
            discard(connection)
            raise UnavailableError(repr(error)) from error
        finally:
            try:
                await self._pool.release(connection)
            finally:
                self._turns.release()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """Commit what the body did, or nothing of it."""
        async with self.connection() as connection:
            transaction = connection.transaction()
            await transaction.start()
            try:
                yield connection
            except BaseException as error:
                # The server rolls back when the connection goes; asking a hung one would hang too.
                if is_outage(error, closed=is_closed(connection)):
                    discard(connection)
                else:
                    await transaction.rollback()
                raise
            try:
                await transaction.commit()
            except UNREACHABLE as error:
                discard(connection)
                raise UnknownOutcomeError(repr(error)) from error

    async def _acquire(self) -> "PoolConnectionProxy[asyncpg.Record]":
        try:
            async with asyncio.timeout(self._acquire_timeout_s):
                await self._take_turn()
                try:
                    return await self._pool.acquire()
                except BaseException:
                    self._turns.release()
                    raise
        except UNREACHABLE as error:
            raise UnavailableError(repr(error)) from error

    async def _take_turn(self) -> None:
        """Wait in line for one of the connections.

        The pool's own line is not one: whoever comes as a connection is given back takes it before
        the one who was woken for it, who then goes to the end, until the deadline.
        """
        began_s = time.perf_counter()
        self.waiting += 1
        try:
            await self._turns.acquire()
        finally:
            self.waiting -= 1
        wait_s = time.perf_counter() - began_s
        for watcher in self.wait_watchers:
            watcher(wait_s)

    async def _connect(self, *_arguments: object, **_options: object) -> NodeConnection:
        connection, moved = await self._primary.connect(command_timeout_s=self._command_timeout_s)
        if moved:
            # The old primary may still answer on the other connections, and sell what is sold.
            await self._pool.expire_connections()
        return connection


async def _nothing_to_reset(_connection: object) -> None:
    """Spare the round trip of asyncpg's RESET ALL: no session state is ever set here."""
