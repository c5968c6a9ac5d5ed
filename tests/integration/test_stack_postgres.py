"""A real primary and standby: replication, what pausing and killing do, and what is refused."""

import asyncio
import os
import shutil
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import psutil
import pytest

from doorbuster import leftovers
from doorbuster.errors import MissingPrerequisite, TargetNotReady
from doorbuster.stack import binaries, postgres
from doorbuster.stack.binaries import postgres_programs
from doorbuster.stack.component import LocalComponent, end_all
from doorbuster.stack.place import postgres_account, temporary_place
from doorbuster.stack.ports import free_ports
from doorbuster.stack.postgres import PRIMARY, STANDBY, Cluster, ask
from doorbuster.stack.process import Place
from tests.waiting import eventually

pytestmark = pytest.mark.integration

STILL_HANGING_S = 0.5
INSERT = "INSERT INTO sold DEFAULT VALUES"
as_root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root needs another user")


@dataclass(frozen=True)
class Pair:
    cluster: Cluster
    primary: LocalComponent
    standby: LocalComponent

    def sold(self, node: str) -> int:
        counted = ask(self.cluster.dsn(node), "SELECT count(*)::int FROM sold")
        assert isinstance(counted, int)
        return counted


def cluster_in(place: Place) -> Cluster:
    account = postgres_account(place)
    ports = dict(zip((PRIMARY, STANDBY), free_ports(2), strict=True))
    programs = postgres_programs(place, account=account)
    return Cluster(place, programs=programs, account=account, ports=ports)


@contextmanager
def pair_in(logs: Path, *, synchronous: bool) -> Iterator[Pair]:
    run_id = f"test{uuid.uuid4().hex[:8]}"
    with temporary_place(run_id, logs=logs) as place, ExitStack() as exits:
        cluster = cluster_in(place)
        started: list[LocalComponent] = []
        exits.callback(end_all, started)
        started.append(postgres.create_primary(cluster))
        started[0].start()
        started[0].wait_ready()
        postgres.create_shop_database(cluster)
        replication_port = cluster.ports[PRIMARY]
        started.append(postgres.create_standby(cluster, replication_port=replication_port))
        started[1].start()
        postgres.begin_replication(cluster, started[1], synchronous=synchronous)
        ask(cluster.dsn(PRIMARY), "CREATE TABLE sold (id serial)")
        yield Pair(cluster, *started)
    leftovers.require_nothing_left(run_id)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    with pair_in(tmp_path_factory.mktemp("logs"), synchronous=True) as pair:
        yield pair


async def hangs_while_paused(pair: Pair, paused: LocalComponent) -> bool:
    """Insert on a connection opened before; say whether that had to wait for the resume."""
    connection = await asyncpg.connect(pair.cluster.dsn(PRIMARY), ssl=False)
    await connection.execute(INSERT)
    paused.pause()
    insert = asyncio.create_task(connection.execute(INSERT))
    try:
        _, unfinished = await asyncio.wait({insert}, timeout=STILL_HANGING_S)
    finally:
        paused.resume()
    await asyncio.wait_for(insert, timeout=10)
    await connection.close()
    return bool(unfinished)


def test_a_synchronous_commit_is_on_the_standby(pair: Pair) -> None:
    ask(f"{pair.cluster.dsn(PRIMARY)}?synchronous_commit=remote_apply", INSERT)
    assert pair.sold(STANDBY) == pair.sold(PRIMARY) > 0


def test_the_shop_owns_its_database_and_nothing_else(pair: Pair) -> None:
    dsn = pair.cluster.shop_dsn(proxy_port=pair.cluster.ports[PRIMARY])
    assert ask(dsn, "CREATE TABLE IF NOT EXISTS shelf (id int)") is None
    assert ask(dsn, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user") is False


def test_a_stranger_is_not_let_in(pair: Pair) -> None:
    dsn = pair.cluster.dsn(PRIMARY).replace(pair.cluster.superuser_password, "guessed")
    with pytest.raises(asyncpg.InvalidPasswordError):
        ask(dsn, "SELECT 1")


def test_a_paused_primary_commits_nothing_on_open_connections(pair: Pair) -> None:
    """The backends are in process groups of their own; stopping the postmaster is not enough."""
    assert asyncio.run(hangs_while_paused(pair, pair.primary))


def test_a_synchronous_commit_waits_for_the_standby(pair: Pair) -> None:
    assert asyncio.run(hangs_while_paused(pair, pair.standby))


def test_an_asynchronous_commit_does_not_wait(tmp_path: Path) -> None:
    with pair_in(tmp_path, synchronous=False) as pair:
        assert not asyncio.run(hangs_while_paused(pair, pair.standby))


def test_a_killed_primary_comes_back_with_all_that_was_committed(pair: Pair) -> None:
    ask(pair.cluster.dsn(PRIMARY), INSERT)
    sold = pair.sold(PRIMARY)
    pid_file = pair.cluster.data(PRIMARY) / "postmaster.pid"
    segment = leftovers.segment_named_in(pid_file)
    assert segment in leftovers.existing_segments()
    everybody = set(pair.primary.pids())

    pair.primary.kill()

    # A process that is just going has neither environment nor folder any more to be found by.
    assert eventually(lambda: not everybody & {p.pid for p in leftovers.find(lambda _: True)})
    assert segment not in leftovers.existing_segments()
    with pytest.raises(ConnectionRefusedError):
        ask(pair.cluster.dsn(PRIMARY), "SELECT 1")
    pair.primary.restart()
    assert pair.sold(PRIMARY) == sold
    # The standby finds its way back as well, or a synchronous commit would never end.
    assert asyncio.run(hangs_while_paused(pair, pair.standby))


def test_backends_are_found_without_their_parents_help(pair: Pair) -> None:
    """Postgres overwrites its backends' environment, so the run's mark in it is gone."""
    run_id = pair.cluster.place.run_id
    backends = psutil.Process(pair.standby.pids()[0]).children()
    assert backends
    assert not [b for b in backends if leftovers.carries(b, {"DOORBUSTER_RUN": run_id})]
    assert {b.pid for b in backends} <= {p.pid for p in leftovers.processes_of(run_id)}


def test_a_promoted_standby_commits_alone(tmp_path: Path) -> None:
    with pair_in(tmp_path, synchronous=True) as pair:
        pair.primary.kill()
        assert ask(pair.cluster.dsn(STANDBY), "SELECT pg_promote()") is True
        ask(pair.cluster.dsn(STANDBY), INSERT)
        assert pair.sold(STANDBY) == 1


def fail_while_paused(logs: Path, seen: list[str]) -> None:
    with pair_in(logs, synchronous=True) as pair:
        seen.append(pair.cluster.place.run_id)
        assert len(leftovers.segments_of(seen[0])) == 2
        seen += map(str, leftovers.segments_of(seen[0]))
        pair.primary.pause()
        raise ZeroDivisionError


def test_a_body_that_fails_leaves_nothing(tmp_path: Path) -> None:
    seen: list[str] = []
    with pytest.raises(ZeroDivisionError):
        fail_while_paused(tmp_path, seen)
    run_id, *segments = seen
    leftovers.require_nothing_left(run_id)
    assert not {int(segment) for segment in segments} & leftovers.existing_segments()


PRIVATE_SCRIPT = """
import sys, uuid
from pathlib import Path
import doorbuster
from doorbuster.stack import postgres
from doorbuster.stack.binaries import postgres_programs
from doorbuster.stack.place import postgres_account, temporary_place
from doorbuster.stack.ports import free_ports
here = Path(sys.argv[1])
assert Path(doorbuster.__file__).is_relative_to(here)
with temporary_place("private" + uuid.uuid4().hex[:8], logs=here / "logs") as place:
    account = postgres_account(place)
    programs = postgres_programs(place, account=account)
    ports = dict(zip((postgres.PRIMARY, postgres.STANDBY), free_ports(2)))
    cluster = postgres.Cluster(place, programs=programs, account=account, ports=ports)
    server = postgres.create_primary(cluster)
    server.start()
    server.wait_ready()
    dsn = cluster.dsn(postgres.PRIMARY, database="postgres")
    print(postgres.ask(dsn, "SELECT current_user || ' served'"))
"""


@as_root_only
def test_postgres_runs_from_a_private_clone(tmp_path: Path) -> None:
    """Nobody but root may enter the clone, and Postgres refuses to run as root."""
    clone = tmp_path / "clone"
    clone.mkdir(mode=0o700)
    wheel = binaries.wheel_install().parent
    shutil.copytree(wheel, clone / wheel.name)
    shutil.copytree(wheel.with_name(f"{wheel.name}.libs"), clone / f"{wheel.name}.libs")
    shutil.copytree(Path(postgres.__file__).parents[1], clone / "doorbuster")
    ended = subprocess.run(
        [sys.executable, "-c", PRIVATE_SCRIPT, str(clone)],
        env=os.environ | {"PYTHONPATH": str(clone)},
        cwd="/",
        umask=0o077,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.stdout, ended.stderr, ended.returncode) == ("postgres served\n", "", 0)


def test_missing_programs_are_said_in_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(binaries.BIN_VARIABLE, str(tmp_path))
    with (
        temporary_place("testbare", logs=tmp_path) as place,
        pytest.raises(MissingPrerequisite, match=r"has no program 'postgres': set DOORBUSTER_POST"),
    ):
        postgres_programs(place, account=None)


def test_a_missing_wheel_is_said_in_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(binaries, "WHEEL", "no_such_wheel")
    with (
        temporary_place("testbare", logs=tmp_path) as place,
        pytest.raises(MissingPrerequisite, match=r"no Postgres here: install no-such-wheel, or"),
    ):
        postgres_programs(place, account=None)


@as_root_only
def test_a_temporary_folder_that_nobody_may_enter_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    monkeypatch.setattr("tempfile.tempdir", str(closed))
    with (
        temporary_place("testclosed", logs=tmp_path) as place,
        pytest.raises(MissingPrerequisite, match=rf"'nobody' may not enter {closed}, .*TMPDIR"),
    ):
        postgres_account(place)


def test_a_failing_preparation_quotes_the_log(tmp_path: Path) -> None:
    with temporary_place("testfails", logs=tmp_path) as place:
        cluster = cluster_in(place)
        with pytest.raises(TargetNotReady, match=r"(?s)initdb for .*no-such-option"):
            cluster.run(PRIMARY, "initdb", "--no-such-option")
