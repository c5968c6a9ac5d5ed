"""Traffic that is shared out, as the director drives it: one shop, a master and its workers."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from doorbuster.arrivals import arrivals
from doorbuster.cli.adapters import adapter_of
from doorbuster.cli.traffic import Elsewhere, job
from doorbuster.clock import Clock
from doorbuster.errors import DoorbusterError
from doorbuster.news import News
from doorbuster.operations import OperationEvent
from doorbuster.plan import LoadedPlan, load_plan
from doorbuster.run import RunEnded
from doorbuster.rundir import RunDirectory, read_records
from doorbuster.series import GeneratorSecond
from doorbuster.stack.generator import Generator, generator
from doorbuster.stack.ports import free_ports
from scenarios.adapter import reference_text
from scenarios.order import TrafficOrder
from scenarios.shopper import shoppers
from tests.scenarios_fakes import PLAN, REPOSITORY, FakeShop, new_traffic_run, plan_of

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]

TWO = PLAN + "  workers: 2\n"
SEEN_WITHIN_S = 3.0
"""How soon a lost worker has to be seen; the tests allow some more on a busy machine."""

SLACK_S = 5.0
APART_S = 1000


@dataclass
class Crew:
    """A generator with workers as its director sees it."""

    loaded: LoadedPlan
    run: RunDirectory
    place: Elsewhere | None = None
    news: list[News] = field(default_factory=list)

    def told(self, what: str) -> list[News]:
        return [news for news in self.news if news.what == what]

    @contextmanager
    def generating(self, url: str, **changes: Any) -> Iterator[Generator]:
        shop = adapter_of(self.loaded.plan)
        order = TrafficOrder(self.run.run_id, str(self.run.path), self.loaded.resolved, url, shop)
        made = job(order, self.loaded.plan, self.place)
        made = replace(made, hear=self.news.append, **changes)
        with generator(made, run_id=self.run.run_id, logs=self.run.logs) as running:
            yield running

    def events(self) -> list[OperationEvent]:
        files = sorted(self.run.operations.glob("*.ndjson"))
        return [event for path in files for event in read_records(path, OperationEvent)]

    def seconds(self) -> list[GeneratorSecond]:
        files = sorted(self.run.series.glob("generator-*.ndjson"))
        return [second for path in files for second in read_records(path, GeneratorSecond)]

    def wanted(self) -> set[tuple[int | None, str | None, str | None, str | None]]:
        """Who bought what, by the record; a stripe that two workers had would show in `seconds`."""
        invoked = (event for event in self.events() if event.type == "invoke" and event.sku)
        return {(e.arrival, e.persona, e.sku, e.user_ref) for e in invoked}


@pytest.fixture
def crew(tmp_path: Path) -> Crew:
    loaded = plan_of(TWO)
    return Crew(loaded, new_traffic_run(tmp_path, loaded))


@pytest.fixture
def elsewhere(crew: Crew) -> Crew:
    (port,) = free_ports(1)
    crew.place = Elsewhere("127.0.0.1", port)
    return crew


@pytest.fixture
def shop() -> Iterator[FakeShop]:
    with FakeShop() as shop:
        yield shop


def begin(running: Generator, crew: Crew) -> Clock:
    clock = Clock(time.monotonic() + crew.loaded.plan.traffic.warmup + 1.0)
    running.begin(clock)
    return clock


def play(running: Generator, crew: Crew, *, until_s: float) -> Clock:
    clock = begin(running, crew)
    while clock.now_s() < until_s:
        running.check()
        time.sleep(0.05)
    return clock


def seen_to_be_lost(running: Generator) -> float:
    """Return after how long the director's check says so."""
    began_s = time.monotonic()
    while time.monotonic() < began_s + 30:
        try:
            running.check()
        except RunEnded:
            return time.monotonic() - began_s
        time.sleep(0.02)
    raise AssertionError("nobody noticed")


def everybody(crew: Crew) -> dict[int, tuple[str, str]]:
    """Return each arrival's persona and SKU, as the plan alone decides them."""
    plan = crew.loaded.plan
    shopper_of = shoppers(plan)
    found = [shopper_of(arrival) for arrival in arrivals(plan.traffic, plan.seed)]
    return {shopper.arrival: (shopper.persona, shopper.sku) for shopper in found}


def require_same_shoppers(crew: Crew) -> None:
    """Every arrival of the plan was started once, and whoever bought is who the plan says."""
    people = everybody(crew)
    assert sum(row.started for row in crew.seconds()) == len(people)
    bought = crew.wanted()
    assert len(bought) > len(people) / 2
    for arrival, persona, sku, user in bought:
        assert arrival is not None
        assert people[arrival] == (persona, sku)
        assert user == f"user-{arrival}"
    for index in range(2):
        files = crew.run.operations / f"traffic-{index}.ndjson"
        own = {event.arrival for event in read_records(files, OperationEvent) if event.arrival}
        assert own
        assert {arrival % 2 for arrival in own} == {index}


def test_two_workers_drive_the_shoppers_that_one_would(crew: Crew, shop: FakeShop) -> None:
    with crew.generating(shop.url) as running:
        play(running, crew, until_s=crew.loaded.plan.length_s)
        running.finish(now=False)
        pids = running.worker_pids
    require_same_shoppers(crew)
    assert [news.worker for news in crew.told("lost")] == []
    assert {news.worker for news in crew.told("joined")} == {0, 1}
    assert {news.pid for news in crew.told("joined")} == set(pids)
    assert not any(psutil.pid_exists(pid) for pid in pids)
    ended = {event.id for event in crew.events() if event.type in ("ok", "fail", "info")}
    assert ended == {event.id for event in crew.events() if event.type == "invoke"}


def test_killed_worker_is_seen_and_what_it_wrote_is_kept(crew: Crew, shop: FakeShop) -> None:
    with crew.generating(shop.url) as running:
        play(running, crew, until_s=2.5)
        victim = crew.told("joined")[0]
        assert victim.pid is not None
        os.kill(victim.pid, signal.SIGKILL)
        assert seen_to_be_lost(running) < SEEN_WITHIN_S + SLACK_S
        running.finish(now=True)
    (lost,) = crew.told("lost")
    assert (lost.worker, lost.kept) == (victim.worker, True)
    assert f"process {victim.pid}" in lost.message
    invoked = {event.client_ref for event in crew.events() if event.type == "invoke"}
    assert shop.orders
    assert set(shop.orders) <= invoked
    assert sum(row.started for row in crew.seconds()) < len(everybody(crew))


BROKEN = """
import sys
from scenarios import personas
from scenarios.distribution import worker
def broken(*_args):
    raise RuntimeError("planted")
personas.JOURNEYS.update(dict.fromkeys(personas.JOURNEYS, broken))
sys.exit(worker.main(sys.argv[1:]))
"""


def test_broken_worker_fails_the_harness(crew: Crew, shop: FakeShop) -> None:
    with crew.generating(shop.url, worker=(sys.executable, "-c", BROKEN)) as running:
        begin(running, crew)
        with pytest.raises(DoorbusterError, match=r"worker \d .* failed: RuntimeError: planted"):
            running.finish(now=False)


def test_workers_that_do_not_come_are_not_waited_for_for_ever(elsewhere: Crew) -> None:
    with (
        pytest.raises(DoorbusterError, match=r"did not get ready within 2 s"),
        elsewhere.generating("http://127.0.0.1:9", ready_within_s=2.0),
    ):
        raise AssertionError("it began without workers")


OTHER_BUILD = """
import sys
from scenarios.distribution import worker
worker.build = lambda: "0.0.1+0, locust 1"
sys.exit(worker.main(sys.argv[1:]))
"""


@contextmanager
def joining(
    crew: Crew, *command: str, before: tuple[str, ...] = ()
) -> Iterator["subprocess.Popen[str]"]:
    """Start something that joins the crew from elsewhere, by default `doorbuster worker`."""
    assert crew.place is not None
    address = f"{crew.place.host}:{crew.place.port}"
    if command:
        arguments = (*command, address, "30")
    else:
        arguments = (sys.executable, "-m", "doorbuster", "worker", "--join", address)
    process = subprocess.Popen(
        (*before, *arguments),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=REPOSITORY,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def words_of(process: "subprocess.Popen[str]") -> str:
    """Return all that it said, once it has ended."""
    return process.communicate(timeout=30)[0]


def has_another_clock() -> tuple[str, ...]:
    """Return what gives a process a monotonic clock of its own, as another machine has."""
    command = ("unshare", "--time", "--monotonic", str(APART_S), "--")
    try:
        done = subprocess.run((*command, "true"), check=False, capture_output=True, timeout=10)
    except OSError:
        return ()
    return command if done.returncode == 0 else ()


def test_workers_of_other_machines_share_the_run(elsewhere: Crew, shop: FakeShop) -> None:
    """Another version is refused; two join, one with a clock a quarter of an hour ahead."""
    other_clock = has_another_clock()
    with (
        joining(elsewhere, sys.executable, "-c", OTHER_BUILD) as stranger,
        joining(elsewhere, before=other_clock) as first,
        joining(elsewhere) as second,
        elsewhere.generating(shop.url) as running,
    ):
        play(running, elsewhere, until_s=elsewhere.loaded.plan.length_s)
        running.finish(now=False)
        assert "refused: it is 0.0.1+0, locust 1" in words_of(stranger)
        assert stranger.returncode == 2
        for process in (first, second):
            assert "done" in words_of(process)
            assert process.returncode == 0
    require_same_shoppers(elsewhere)
    (refused,) = elsewhere.told("refused")
    assert refused.pid == stranger.pid
    apart = sorted(round(news.offset_s or 0.0, 1) for news in elsewhere.told("joined"))
    assert apart == ([-APART_S, 0.0] if other_clock else [0.0, 0.0])
    assert len(elsewhere.told("clock")) == 2
    completed = [event for event in elsewhere.events() if event.type == "ok"]
    assert all(-2 < event.at_s < 60 for event in completed)
    for path in elsewhere.run.latency.iterdir():
        assert "Tag=lateness," in path.read_text()


def test_killed_worker_of_another_machine_is_seen(elsewhere: Crew, shop: FakeShop) -> None:
    with (
        joining(elsewhere) as first,
        joining(elsewhere) as second,
        elsewhere.generating(shop.url) as running,
    ):
        play(running, elsewhere, until_s=1.0)
        victim, other = elsewhere.told("joined")
        assert victim.pid is not None
        os.kill(victim.pid, signal.SIGKILL)
        assert seen_to_be_lost(running) < SEEN_WITHIN_S + SLACK_S
        running.finish(now=True)
        said = words_of(first) + words_of(second)
    assert sorted((first.returncode, second.returncode)) == [0, 4], said
    (kept,) = map(Path, re.findall(r"what it recorded is kept in (\S+)", said))
    (lost,) = elsewhere.told("lost")
    assert (lost.worker, lost.kept) == (victim.worker, False)
    name = f"traffic-{victim.worker}.ndjson"
    came_home = (elsewhere.run.operations / name).read_bytes()
    assert came_home
    assert (kept / "operations" / name).read_bytes().startswith(came_home)
    assert (elsewhere.run.operations / f"traffic-{other.worker}.ndjson").stat().st_size
    for path in sorted(kept.parent.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    kept.parent.rmdir()


ONCE_GONE = ("sh", "-c", 'while [ -e "$0" ]; do sleep 0.1; done; exec "$@"')


def test_files_of_the_plan_are_handed_to_workers_that_have_none(
    elsewhere: Crew, shop: FakeShop, tmp_path: Path
) -> None:
    """They are gone before the worker starts: what it knows of them came from the master.

    Its own temporary files are gone once it is ready, so that no kill can leave them there.
    """
    files, worker_folder = tmp_path / "plan", tmp_path / "worker"
    files.mkdir()
    worker_folder.mkdir()
    (files / "mine.yaml").write_text(reference_text())
    (files / "users.csv").write_text("login\n" + "".join(f"guest-{n}\n" for n in range(9)))
    text = f"shop: mine.yaml\n{PLAN}  data: {{users: users.csv}}\n"
    elsewhere.loaded = load_plan(text, source=str(files / "plan.yaml"), environ={})

    def forget() -> None:
        if elsewhere.told("listening"):
            for file in files.iterdir():
                file.unlink()

    before = ("env", f"TMPDIR={worker_folder}", *ONCE_GONE, str(files / "users.csv"))
    with (
        joining(elsewhere, before=before) as worker,
        elsewhere.generating(shop.url, tick=forget, ready_within_s=60.0) as running,
    ):
        (place,) = worker_folder.iterdir()
        assert sorted(path.name for path in place.iterdir()) == ["run", "worker.log"]
        play(running, elsewhere, until_s=2.0)
        running.finish(now=True)
        assert "was handed users.csv, mine.yaml" in words_of(worker)
    assert worker.returncode == 0
    bought = elsewhere.wanted()
    assert bought
    assert {user for *_, user in bought} <= {f"guest-{n}" for n in range(9)}
    assert list(worker_folder.iterdir()) == []


def test_worker_that_somebody_ends_is_lost_at_once(elsewhere: Crew, shop: FakeShop) -> None:
    with (
        joining(elsewhere) as first,
        joining(elsewhere),
        elsewhere.generating(shop.url) as running,
    ):
        first.send_signal(signal.SIGINT)
        assert first.wait(30) == 5
        assert seen_to_be_lost(running) < SEEN_WITHIN_S + SLACK_S
        running.finish(now=True)
    (lost,) = elsewhere.told("lost")
    assert "ended by hand" in lost.message
    assert lost.kept is True


def test_worker_without_a_rehearsal_gives_up() -> None:
    done = worker_for_nobody()
    assert "no rehearsal waited for workers at 127.0.0.1:" in done.stderr
    assert "within 1 s" in done.stderr


def test_what_a_killed_worker_left_is_removed_unless_it_is_evidence(tmp_path: Path) -> None:
    with subprocess.Popen(("true",)) as killed:
        killed.wait(30)
    empty, full, living = (
        tmp_path / f"doorbuster-worker-{pid}-{name}"
        for pid, name in ((killed.pid, "empty"), (killed.pid, "full"), (os.getpid(), "living"))
    )
    for folder in (empty, full, living):
        (folder / "run" / "operations").mkdir(parents=True)
    (full / "run" / "operations" / "traffic-0.ndjson").write_text("{}\n")
    done = worker_for_nobody(TMPDIR=str(tmp_path))
    assert f"may not have come home: {full / 'run'}\n" in done.stdout
    assert sorted(tmp_path.iterdir()) == sorted([full, living])


def worker_for_nobody(**environment: str) -> "subprocess.CompletedProcess[str]":
    (port,) = free_ports(1)
    command = ("-m", "doorbuster", "worker", "--join", f"127.0.0.1:{port}", "--within", "1")
    done = subprocess.run(
        (sys.executable, *command),
        capture_output=True,
        text=True,
        cwd=REPOSITORY,
        env=os.environ | environment,
        timeout=60,
        check=False,
    )
    assert done.returncode == 4
    return done
