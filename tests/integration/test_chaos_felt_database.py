"""Every fault of Postgres on a whole stack: felt by who writes and reads, then gone."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import asyncpg
import pytest

from chaos.postgres.asking import ask, find_primary
from doorbuster.components import DatabaseNode
from doorbuster.errors import DoorbusterError
from tests.integration.drill_stack import Drill, drill_stack, symptom
from tests.waiting import eventually

pytestmark = pytest.mark.integration

TAKE = "UPDATE stock SET available = available WHERE sku = 'HOT-1'"
COUNT = "SELECT count(*) FROM bought"


@pytest.fixture(scope="module")
def drill(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Drill]:
    with drill_stack(tmp_path_factory.mktemp("logs")) as drill:
        dsn = drill.topology.database[0].proxied_dsn
        ask(dsn, "CREATE TABLE bought (id serial PRIMARY KEY)")
        ask(dsn, "INSERT INTO stock (sku, initial, available) VALUES ('HOT-1', 5, 5)")
        yield drill


@pytest.fixture
def nodes(drill: Drill) -> tuple[DatabaseNode, DatabaseNode]:
    one, two = drill.topology.database
    return one, two


def written(dsn: str, statement: str = "INSERT INTO bought DEFAULT VALUES") -> str:
    """Write as the shop does, with its patience, and return "ok" or what it meets."""

    async def write() -> None:
        connection = await asyncpg.connect(dsn, ssl=False, timeout=2.0)
        try:
            await connection.execute(statement, timeout=1.0)
        finally:
            connection.terminate()

    try:
        asyncio.run(write())
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        return type(error).__name__
    return "ok"


def is_served(drill: Drill) -> bool:
    return eventually(lambda: symptom(drill.topology.shop_url) == "200", bound_s=20.0)


def test_a_held_lock_keeps_everybody_else_from_the_stock(
    drill: Drill, nodes: tuple[DatabaseNode, DatabaseNode]
) -> None:
    dsn = nodes[0].proxied_dsn
    with drill.inflicted("postgres", lock={"sku": "HOT-1"}):
        assert written(dsn, TAKE) == "TimeoutError"
        assert written(dsn) == "ok"
    assert written(dsn, TAKE) == "ok"


def test_a_lock_on_nothing_is_an_error(drill: Drill) -> None:
    with (
        pytest.raises(DoorbusterError, match="the shop has no article 'COLD-1'"),
        drill.inflicted("postgres", lock={"sku": "COLD-1"}),
    ):
        pytest.fail("nothing was locked")


def test_a_lock_dies_with_its_server(drill: Drill, nodes: tuple[DatabaseNode, ...]) -> None:
    with drill.inflicted("postgres", lock={"sku": "HOT-1"}):
        nodes[0].component.restart()
    assert eventually(lambda: written(nodes[0].proxied_dsn, TAKE) == "ok")


@pytest.mark.parametrize(
    ("number", "kind"), [(0, {"connections": {"left": 1}}), (1, {"lag": {"delay": "1s"}})]
)
def test_a_server_that_died_by_itself_has_nothing_to_lift(
    drill: Drill, nodes: tuple[DatabaseNode, ...], number: int, kind: dict[str, Any]
) -> None:
    """A shop has to live with that, and so has the run."""
    component = nodes[number].component
    try:
        with drill.inflicted("postgres", name="died", **kind):
            component.kill()
        assert drill.steps("died") == ["died meanwhile"]
    finally:
        component.restart()
        drill.journal.events.clear()
        for setting in ("ROLE shop CONNECTION LIMIT -1", "SYSTEM RESET recovery_min_apply_delay"):
            with suppress(asyncpg.ReadOnlySQLTransactionError):
                ask(nodes[number].direct_dsn, f"ALTER {setting}")
        ask(nodes[number].direct_dsn, "SELECT pg_reload_conf()")


def test_without_connection_slots_nobody_new_is_let_in(
    drill: Drill, nodes: tuple[DatabaseNode, DatabaseNode]
) -> None:
    dsn = nodes[0].proxied_dsn
    assert is_served(drill)
    with drill.inflicted("postgres", connections={"left": 0}):
        assert written(dsn) == "TooManyConnectionsError"
        assert symptom(drill.topology.shop_direct_url, patience_s=10.0) == "503"
    assert eventually(lambda: written(dsn) == "ok")
    assert is_served(drill)


def test_the_slots_that_are_left_can_be_had(
    drill: Drill, nodes: tuple[DatabaseNode, DatabaseNode]
) -> None:
    user = "SELECT rolconnlimit FROM pg_roles WHERE rolname = 'shop'"
    with drill.inflicted("postgres", connections={"left": 7}):
        assert ask(nodes[0].direct_dsn, user) == 7
    assert ask(nodes[0].direct_dsn, user) == -1


def test_a_lagging_standby_shows_what_was_written_only_later(
    drill: Drill, nodes: tuple[DatabaseNode, DatabaseNode]
) -> None:
    primary, standby = nodes
    with drill.inflicted("postgres", lag={"delay": "1m"}):
        assert written(primary.proxied_dsn) == "ok", "the standby has it, and applies it later"
        count = ask(primary.direct_dsn, COUNT)
        time.sleep(0.3)
        assert ask(standby.direct_dsn, COUNT) != count
    assert eventually(lambda: ask(standby.direct_dsn, COUNT) == count)


def test_without_its_synchronous_standby_no_commit_ends(
    drill: Drill, nodes: tuple[DatabaseNode, DatabaseNode]
) -> None:
    dsn = nodes[0].proxied_dsn
    with drill.inflicted("postgres-b", kill={}):
        assert written(dsn) == "TimeoutError"
        assert ask(dsn, COUNT) is not None, "reading goes on"
    assert eventually(lambda: written(dsn) == "ok")


def test_a_cut_replication_holds_commits_too(
    drill: Drill, nodes: tuple[DatabaseNode, DatabaseNode]
) -> None:
    with drill.inflicted("replication", blackhole={}):
        assert written(nodes[0].proxied_dsn) == "TimeoutError"
    assert eventually(lambda: written(nodes[0].proxied_dsn) == "ok")


def test_a_failback_needs_a_failover(drill: Drill) -> None:
    with (
        pytest.raises(DoorbusterError, match="postgres-a is primary already"),
        drill.inflicted("postgres", failback={}),
    ):
        pytest.fail("nothing to go back from")


def test_failover_and_failback_leave_the_roles_as_they_were(
    drill: Drill, nodes: tuple[DatabaseNode, DatabaseNode]
) -> None:
    one, two = nodes
    with drill.inflicted("postgres", name="there", failover={"detection": "1s"}):
        assert written(one.proxied_dsn) != "ok"
    assert find_primary(nodes) is two
    assert written(one.proxied_dsn) != "ok", "the old primary stays fenced"
    assert written(two.proxied_dsn) == "ok"
    count = ask(two.direct_dsn, COUNT)
    with drill.inflicted("postgres", name="back", failback={}):
        assert written(two.proxied_dsn) == "ok", "copying disturbs nobody"
    assert find_primary(nodes) is one
    assert ask(one.direct_dsn, COUNT) == int(str(count)) + 1, "nothing was lost"
    assert written(one.proxied_dsn) == "ok"
    assert written(two.proxied_dsn) == "ReadOnlySQLTransactionError"
    assert ask(one.direct_dsn, "SHOW synchronous_standby_names") == '"postgres-b"'
    assert ask(one.direct_dsn, "SELECT sync_state FROM pg_stat_replication") == "sync"
    assert drill.steps("back") == [
        *("copied", "following", "fenced", "caught up"),
        *("standby freed", "promoted", "first write", "copied", "following"),
    ]
    assert is_served(drill)


def test_a_paused_primary_that_is_not_fenced_comes_back_as_a_second_one(
    drill: Drill, nodes: tuple[DatabaseNode, DatabaseNode]
) -> None:
    one, two = nodes
    ask(one.direct_dsn, "ALTER SYSTEM SET synchronous_standby_names = ''")
    ask(one.direct_dsn, "SELECT pg_reload_conf()")
    split = {"detection": "1s", "by": "pause", "fence": False}
    with drill.inflicted("postgres", name="split", failover=split):
        assert written(one.proxied_dsn) != "ok"
    assert written(one.proxied_dsn) == written(two.proxied_dsn) == "ok", "the brain is split"
    assert find_primary(nodes) is two
    with drill.inflicted("postgres", name="healed", failback={}):
        pass
    assert find_primary(nodes) is one
    assert written(two.proxied_dsn) == "ReadOnlySQLTransactionError"
    assert is_served(drill)


def test_what_came_after_the_backup_is_lost_with_both_databases(
    drill: Drill, nodes: tuple[DatabaseNode, DatabaseNode]
) -> None:
    one, two = nodes
    before = ask(one.direct_dsn, COUNT)
    with drill.inflicted("postgres", name="gone", restore={}):
        assert [written(one.proxied_dsn) for _ in range(3)] == ["ok"] * 3
    assert ask(one.direct_dsn, COUNT) == before
    assert eventually(lambda: ask(two.direct_dsn, COUNT) == before)
    assert written(one.proxied_dsn) == "ok"
    assert ask(one.direct_dsn, "SELECT sync_state FROM pg_stat_replication") == "sync"
    assert drill.steps("gone") == [
        *("backed up", "lost", "restored", "first write", "copied", "following"),
    ]
    assert is_served(drill)
