"""Nodes that hang, slam the door, only read or go away, and what the shop makes of it."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from target_app.database.pool import Database, UnavailableError, UnknownOutcomeError
from target_app.database.primary import Primary
from tests.integration.running_shop import running_shop
from tests.integration.shop_database import Server, postgres, postgres_server, shop_dsn

__all__ = ["postgres", "shop_dsn"]
pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def standby() -> Iterator[Server]:
    with postgres_server(standby=True) as server:
        yield server


class Gate:
    """A connection to Postgres that can be made to hang or to close, like a proxy's toxics."""

    def __init__(self, upstream_port: int) -> None:
        self.slams = False
        self.flowing = asyncio.Event()
        self.flowing.set()
        self._upstream_port = upstream_port
        self.ports: set[int] = set()
        self._pumps: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        if self.slams:
            writer.close()
            return
        from_server, to_server = await asyncio.open_connection("127.0.0.1", self._upstream_port)
        self._writers.add(to_server)
        self.ports.add(to_server.get_extra_info("sockname")[1])
        for source, target in ((reader, to_server), (from_server, writer)):
            self._pumps.add(asyncio.create_task(self._pump(source, target)))

    async def _pump(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while chunk := await source.read(65536):
                await self.flowing.wait()
                target.write(chunk)
        target.close()

    async def become(self, mode: str) -> None:
        """Be open, hang in the middle of things, or slam every door there is."""
        self.slams = mode == "slams"
        if mode == "hangs":
            self.flowing.clear()
        else:
            self.flowing.set()
        if self.slams:
            await self.cut()

    async def cut(self) -> None:
        for pump in self._pumps:
            pump.cancel()
        await asyncio.gather(*self._pumps, return_exceptions=True)
        for writer in self._writers:
            writer.transport.abort()
        self._pumps.clear()
        self._writers.clear()
        await asyncio.sleep(0)


@asynccontextmanager
async def gate(dsn: str) -> AsyncIterator[tuple[str, Gate]]:
    """Yield the DSN of a gate before `dsn`'s server, and the gate."""
    port, _slash, database = dsn.rpartition(":")[2].partition("/")
    opened = Gate(int(port))
    server = await asyncio.start_server(opened.accept, "127.0.0.1", 0)
    own_port = server.sockets[0].getsockname()[1]
    try:
        yield f"postgresql://postgres@127.0.0.1:{own_port}/{database}", opened
    finally:
        server.close()
        await opened.cut()


def database(*dsns: str, command_timeout_s: float = 0.5) -> Database:
    primary = Primary(dsns, application="test", connect_timeout_s=0.5)
    return Database(primary, size=4, acquire_timeout_s=1.5, command_timeout_s=command_timeout_s)


async def answers(shop: Database) -> bool:
    async with shop.connection() as connection:
        return bool(await connection.fetchval("SELECT true"))


async def answers_soon(shop: Database) -> bool:
    for _ in range(20):
        with suppress(UnavailableError):
            return await answers(shop)
    return False


@pytest.mark.parametrize("mode", ["hangs", "slams"])
def test_a_dead_first_node_does_not_hide_the_second(shop_dsn: str, mode: str) -> None:
    async def scenario() -> None:
        async with gate(shop_dsn) as (first, bad), database(first, shop_dsn) as shop:
            await bad.become(mode)
            assert await answers(shop)

    asyncio.run(scenario())


def test_a_full_pool_has_all_its_connections(shop_dsn: str) -> None:
    async def scenario() -> None:
        async with database(shop_dsn) as shop:
            assert (shop.open_connections, shop.idle_connections) == (0, 0)
            await shop.fill()
            assert (shop.open_connections, shop.idle_connections) == (4, 4)

    asyncio.run(scenario())


def test_a_standby_is_passed_over(shop_dsn: str, standby: Server) -> None:
    async def scenario() -> None:
        async with database(standby.dsn(), shop_dsn) as shop:
            assert await answers(shop)
        async with database(standby.dsn()) as shop:
            with pytest.raises(UnavailableError, match="is a standby"):
                await answers(shop)

    asyncio.run(scenario())


@pytest.mark.parametrize("mode", ["hangs", "slams"])
def test_the_pool_moves_to_the_other_node(shop_dsn: str, mode: str) -> None:
    """Every connection of the pool is open to the node that hangs; none may be used again."""

    async def scenario() -> None:
        async with (
            gate(shop_dsn) as (first, a),
            gate(shop_dsn) as (second, b),
            database(first, second) as shop,
        ):
            await asyncio.gather(*(answers(shop) for _ in range(4)))
            await a.become(mode)
            assert await answers_soon(shop)
            assert await asyncio.gather(*(answers_soon(shop) for _ in range(8))) == [True] * 8
            await a.become("open")
            await b.become("hangs")
            assert await answers_soon(shop)

    asyncio.run(scenario())


def test_who_moves_takes_the_others_along(shop_dsn: str) -> None:
    """The old primary answers on the connections it has, as one that nobody fenced does."""

    async def used(shop: Database) -> int:
        async with shop.connection() as connection:
            port = await connection.fetchval("SELECT inet_client_port()")
            await asyncio.sleep(0.3)  # so that each of four takes a connection of its own
            return int(port)

    async def scenario() -> None:
        async with (
            gate(shop_dsn) as (first, a),
            gate(shop_dsn) as (second, b),
            database(first, second, command_timeout_s=10) as shop,
        ):
            assert set(await asyncio.gather(*(used(shop) for _ in range(3)))) <= a.ports
            a.slams = True  # for newcomers only
            assert set(await asyncio.gather(*(used(shop) for _ in range(4)))) & b.ports
            assert set(await asyncio.gather(*(used(shop) for _ in range(4)))) <= b.ports

    asyncio.run(scenario())


def test_a_hung_connection_is_dropped_rather_than_asked_to_stop(shop_dsn: str) -> None:
    """Asking takes as long again, and its answer is of no use."""

    async def scenario() -> None:
        async with gate(shop_dsn) as (dsn, way), database(dsn, command_timeout_s=4) as shop:
            assert await answers(shop)
            await way.become("hangs")
            began_s = time.monotonic()
            with pytest.raises(UnavailableError):
                await answers(shop)
            assert time.monotonic() - began_s < 7

    asyncio.run(scenario())


def test_ended_sessions_are_replaced(shop_dsn: str) -> None:
    async def scenario() -> None:
        async with database(shop_dsn) as shop:
            await asyncio.gather(*(answers(shop) for _ in range(4)))
            async with database(shop_dsn) as other, other.connection() as connection:
                await connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
            assert await answers_soon(shop)

    asyncio.run(scenario())


def test_before_the_commit_nothing_was_done(shop_dsn: str) -> None:
    async def scenario() -> None:
        async with gate(shop_dsn) as (dsn, way), database(dsn) as shop, database(shop_dsn) as eye:
            async with shop.connection() as connection:
                await connection.execute("CREATE TABLE done (n int)")

            async def write_twice() -> None:
                async with shop.transaction() as connection:
                    await connection.execute("INSERT INTO done VALUES (1)")
                    await way.become("hangs")
                    await connection.execute("INSERT INTO done VALUES (2)")

            with pytest.raises(UnavailableError):
                await write_twice()
            await way.become("open")
            async with eye.connection() as connection:
                assert await connection.fetchval("SELECT count(*) FROM done") == 0

    asyncio.run(scenario())


def test_a_commit_without_an_answer_is_unknown(shop_dsn: str) -> None:
    async def scenario() -> None:
        async with gate(shop_dsn) as (dsn, way), database(dsn) as shop:

            async def write() -> None:
                async with shop.transaction() as connection:
                    await connection.execute("CREATE TABLE done (n int)")
                    await way.become("hangs")

            with pytest.raises(UnknownOutcomeError):
                await write()

    asyncio.run(scenario())


def test_an_error_of_the_statement_stays_an_error(shop_dsn: str) -> None:
    async def scenario() -> None:
        async with database(shop_dsn) as shop:
            with pytest.raises(Exception, match='relation "nowhere" does not exist'):
                async with shop.transaction() as connection:
                    await connection.execute("SELECT * FROM nowhere")
            assert await answers(shop)

    asyncio.run(scenario())


def test_the_shop_says_what_it_knows(shop_dsn: str, tmp_path: Path) -> None:
    """503 and not ready while no node answers, alive all the while, and back by itself."""

    async def scenario() -> None:
        async with gate(shop_dsn) as (dsn, way), running_shop(dsn, tmp_path, pool_size=2) as run:
            await run.sale()
            assert (await run.client.get("/readyz")).status_code == 200
            await way.become("slams")
            refused = await run.check_out("k")
            assert (refused.status_code, refused.json()["code"]) == (503, "unavailable")
            assert refused.headers["Retry-After"] == "1"
            not_ready = await run.client.get("/readyz")
            assert (not_ready.status_code, list(not_ready.json()["failing"])) == (503, ["database"])
            assert (await run.client.get("/healthz")).status_code == 200
            await way.become("open")
            assert (await run.check_out("k")).status_code == 201

    asyncio.run(scenario())
