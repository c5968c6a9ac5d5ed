"""What only a real standby shows: figures that lag behind, and a shop that sells by them."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from doorbuster.stack.postgres import PRIMARY, STANDBY, ask
from target_app.flaws.table import FLAWS
from tests.fault.stock_verdicts import stock_verdicts
from tests.integration.running_shop import Rehearsed, running_shop
from tests.integration.test_stack_postgres import Pair, pair_in
from tests.integration.test_target_metrics import scraped

pytestmark = [pytest.mark.integration, pytest.mark.fault]

STOCK = 10
REPLAYED = "SELECT pg_last_wal_replay_lsn() >= '{lsn}'::pg_lsn"


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    with pair_in(tmp_path_factory.mktemp("logs"), synchronous=False) as pair:
        yield pair


@pytest.fixture
def nodes(pair: Pair) -> list[str]:
    """Return how the shop reaches the primary and the standby."""
    ports = pair.cluster.ports
    return [pair.cluster.shop_dsn(proxy_port=ports[node]) for node in (PRIMARY, STANDBY)]


@asynccontextmanager
async def left_behind(pair: Pair) -> AsyncIterator[None]:
    """Keep the standby, once it has all there is, from replaying any more."""
    lsn = await said(pair, PRIMARY, "SELECT pg_current_wal_lsn()::text")
    async with asyncio.timeout(60):
        while not await said(pair, STANDBY, REPLAYED.format(lsn=lsn)):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    await said(pair, STANDBY, "SELECT pg_wal_replay_pause()")
    try:
        yield
    finally:
        await said(pair, STANDBY, "SELECT pg_wal_replay_resume()")


async def said(pair: Pair, node: str, statement: str) -> object:
    return await asyncio.to_thread(ask, pair.cluster.dsn(node), statement)


@pytest.mark.parametrize(("flaws", "expected"), [(("W5",), "fail"), ((), "pass")])
def test_a_shop_that_reads_the_standby_oversells(
    flaws: tuple[str, ...], expected: str, nodes: list[str], pair: Pair, tmp_path: Path
) -> None:
    """Twenty buyers, one after the other, for ten units that the standby goes on showing."""

    async def scenario() -> None:
        async with running_shop(nodes[0], tmp_path, databases=nodes, flaws=flaws) as run:
            await run.sale(stock=STOCK)
            async with left_behind(pair):
                for n in range(2 * STOCK):
                    await run.check_out(f"k{n}")
            verdicts = await stock_verdicts(run, stock=STOCK)
            seen_by = FLAWS["W5"][0].seen_by
            assert {verdicts[check].ruling for check in seen_by} == {expected}, verdicts

    asyncio.run(scenario())


def test_the_lag_of_a_standby_is_a_metric(nodes: list[str], pair: Pair, tmp_path: Path) -> None:
    async def lag_bytes(run: Rehearsed) -> float:
        seen = await scraped(run)
        lag = {name: value for (name, _labels), value in seen.items() if "replication_lag" in name}
        assert set(lag) == {"pg_replication_lag_bytes", "pg_replication_lag_seconds"}
        return lag["pg_replication_lag_bytes"]

    async def until(run: Rehearsed, *, behind: bool) -> None:
        async with asyncio.timeout(60):
            while bool(await lag_bytes(run)) is not behind:  # noqa: ASYNC110
                await asyncio.sleep(0.2)

    async def scenario() -> None:
        async with running_shop(nodes[0], tmp_path, databases=nodes) as run:
            await run.sale()
            async with left_behind(pair):
                for n in range(5):
                    await run.ordered(f"k{n}")
                await until(run, behind=True)
            await until(run, behind=False)

    asyncio.run(scenario())
