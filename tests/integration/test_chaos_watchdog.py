"""A little director, ended in every way: within ten seconds nothing of its run is left.

Its children are orphans by design (no death signal, ignoring SIGTERM, one of them stopped), so
that only the watchdog can end them.
"""

import os
import re
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from chaos.pledge import Pledge
from chaos.watchdog_client import SOURCES, Watchdog
from doorbuster import leftovers
from doorbuster.components import RUN_MARK
from doorbuster.errors import DoorbusterError
from doorbuster.journal import JournalEvent
from doorbuster.rundir import read_records
from tests.proxy_servers import ProxyServer, running
from tests.waiting import eventually

pytestmark = pytest.mark.integration

BOUND_S = 10.0

DIRECTOR = """
import os, signal, subprocess, sys, tempfile, time
from pathlib import Path
from chaos.watchdog_client import Watchdog

run_id, journal, proxy_api, last_moment = sys.argv[1:]

def arrive(moment):
    print(moment, os.getpid(), flush=True)
    if moment == last_moment:
        time.sleep(60)

def child(code):
    # No death signal, unlike the children of a stack: these are for the watchdog.
    command = [sys.executable, "-c", "import signal, time; " + code]
    marked = os.environ | {"DOORBUSTER_RUN": run_id}
    return subprocess.Popen(command, env=marked, start_new_session=True, stdout=subprocess.DEVNULL)

with Watchdog.start(run_id, journal=Path(journal), lease_s=float(os.environ["LEASE_S"])) as dog:
    print("watchdog", dog._process.pid, flush=True)
    arrive("watched")
    folder = Path(tempfile.mkdtemp(prefix=f"doorbuster-{run_id}-"))
    (folder / "part").mkdir()
    arrive("folder")
    dog.use_proxy(proxy_api)
    children = [child("signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)")]
    children.append(child("time.sleep(60)"))
    os.kill(children[1].pid, signal.SIGSTOP)
    arrive("started")
    if last_moment == "starting":
        print("starting", os.getpid(), flush=True)
        while True:
            children.append(child("time.sleep(60)"))
    if last_moment == "error":
        raise RuntimeError("something in the harness")
"""


@dataclass
class Director:
    """The little director and where it works."""

    process: "subprocess.Popen[str]"
    run_id: str
    journal: Path
    watchdog_pid: int

    def failures(self) -> list[str]:
        events = read_records(self.journal, JournalEvent)
        return [str(event.detail["message"]) for event in events if event.kind == "failure"]

    def await_nothing_left(self) -> None:
        give_up_s = time.monotonic() + BOUND_S
        while left := [*leftovers.leftovers_of(self.run_id), *self.watchdog_left()]:
            assert time.monotonic() < give_up_s, left
            time.sleep(0.05)

    def watchdog_left(self) -> list[str]:
        return ["watchdog"] if self.is_watched else []

    @property
    def is_watched(self) -> bool:
        """Say whether the watchdog runs; one that a stopped parent did not reap does not."""
        with suppress(psutil.NoSuchProcess):
            return psutil.Process(self.watchdog_pid).status() != psutil.STATUS_ZOMBIE
        return False


@pytest.fixture(scope="module")
def shared() -> Iterator[ProxyServer]:
    with running("embedded") as server:
        yield server


@dataclass
class Direct:
    """Starts little directors, and kills what a broken watchdog would leave."""

    tmp_path: Path
    proxy_api: str

    def __post_init__(self) -> None:
        self.started: list[Director] = []

    def __call__(self, until: str, *, lease_s: float = 60.0) -> Director:
        run_id = f"test{uuid.uuid4().hex[:8]}"
        journal = self.tmp_path / "journal.ndjson"
        process = subprocess.Popen(
            (sys.executable, "-c", DIRECTOR, run_id, str(journal), self.proxy_api, until),
            env=os.environ | {"PYTHONPATH": str(SOURCES), "LEASE_S": str(lease_s)},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            text=True,
        )
        assert process.stdout is not None
        director = Director(process, run_id, journal, int(process.stdout.readline().split()[1]))
        self.started.append(director)
        while until not in {"error", "end"} and process.stdout.readline().split()[0] != until:
            pass
        return director


@pytest.fixture
def direct(tmp_path: Path, shared: ProxyServer) -> Iterator[Direct]:
    direct = Direct(tmp_path, shared.url)
    yield direct
    for director in direct.started:
        director.process.kill()
        leftovers.sweep(director.run_id)
        director.process.communicate()


@pytest.mark.parametrize("moment", ["watched", "folder", "started", "starting"])
def test_nothing_is_left_when_the_director_is_killed(direct: Direct, moment: str) -> None:
    director = direct(moment)
    if moment == "starting":
        time.sleep(0.3)
    director.process.kill()
    director.process.wait()
    director.await_nothing_left()
    (failure,) = director.failures()
    assert "the director died" in failure


FROM_A_TERMINAL = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def ignores_them_all(pid: int) -> bool:
    """Tell whether it is that far; under `nohup` some are ignored from the start."""
    (mask,) = re.findall(r"SigIgn:\s+(\w+)", Path(f"/proc/{pid}/status").read_text())
    return all(int(mask, 16) & 1 << (ignored - 1) for ignored in FROM_A_TERMINAL)


def test_the_watchdog_survives_what_a_terminal_sends(direct: Direct) -> None:
    director = direct("started")
    assert os.getsid(director.watchdog_pid) == director.watchdog_pid
    give_up_s = time.monotonic() + BOUND_S
    while not ignores_them_all(director.watchdog_pid) and time.monotonic() < give_up_s:
        time.sleep(0.05)
    for sent in FROM_A_TERMINAL:
        os.kill(director.watchdog_pid, sent)
    time.sleep(0.1)
    assert director.is_watched
    director.process.kill()
    director.process.wait()
    director.await_nothing_left()


def test_a_director_that_hangs_loses_its_run(direct: Direct) -> None:
    director = direct("started", lease_s=1.5)
    assert leftovers.processes_of(director.run_id)
    director.process.send_signal(signal.SIGSTOP)
    director.await_nothing_left()
    (failure,) = director.failures()
    assert "hangs" in failure


def test_a_director_that_raises_is_cleaned_up_after(direct: Direct) -> None:
    director = direct("error")
    assert director.process.wait(BOUND_S) == 1
    assert leftovers.leftovers_of(director.run_id) == []
    assert not director.is_watched


def test_a_run_that_ended_in_order_is_left_alone(direct: Direct) -> None:
    """What the director leaves by intent is not the watchdog's business."""
    director = direct("end")
    assert director.process.wait(BOUND_S) == 0
    assert not director.is_watched
    assert leftovers.processes_of(director.run_id)
    assert director.failures() == []


def test_only_the_runs_own_proxies_are_deleted(direct: Direct, shared: ProxyServer) -> None:
    director = direct("started")
    own = f"doorbuster-{director.run_id}-"
    others = {f"doorbuster-{director.run_id}-2-edge", "doorbuster-other-edge", "theirs"}
    for name in {f"{own}edge", f"{own}postgres-a", *others}:
        shared.create(name, "127.0.0.1:1")
    director.process.kill()
    director.process.wait()
    director.await_nothing_left()
    assert set(shared.call("GET", "/proxies").json()) == others
    shared.clear()


def test_a_proxy_server_that_is_gone_does_not_keep_the_rest(direct: Direct) -> None:
    direct.proxy_api = "http://127.0.0.1:1"
    director = direct("started")
    director.process.kill()
    director.process.wait()
    director.await_nothing_left()
    assert "http://127.0.0.1:1" in director.failures()[0]


def test_a_renewed_lease_holds_and_a_dead_watchdog_is_noticed(tmp_path: Path) -> None:
    with Watchdog.start("test-lease", journal=tmp_path / "j", lease_s=3.0) as watchdog:
        watchdog.renew(60)
        time.sleep(3.5)
        assert watchdog.alive
        watchdog._process.kill()
        watchdog._process.wait()
        assert not watchdog.alive
        # Or else its death would stop the faults' ends, each of which renews the lease.
        watchdog.renew(60)
        with pytest.raises(DoorbusterError, match=r"the watchdog died \(-9\): nobody would"):
            watchdog.use_undo({"one more": Pledge(("true",), 1.0)})


def test_one_that_is_stopped_is_noticed_and_does_not_stop_us(tmp_path: Path) -> None:
    """Its pipe fills up; a director that waited for room would hang, and nobody would notice."""
    watchdog = Watchdog.start("test-deaf", journal=tmp_path / "j")
    watchdog._process.send_signal(signal.SIGSTOP)
    for _ in range(10_000):
        watchdog.renew(60)
    assert not watchdog.alive
    with pytest.raises(DoorbusterError, match="the watchdog hears nothing: nobody would clean"):
        watchdog.use_undo({})
    with pytest.raises(DoorbusterError, match="the watchdog did not end within 0 s"):
        watchdog.done()
    assert watchdog._process.poll() == -signal.SIGKILL


def test_one_that_swept_without_us_says_so(tmp_path: Path) -> None:
    """Stopped for longer than the lease, a director must not take what was ended for a finding."""
    with Watchdog.start("test-hung", journal=tmp_path / "j", lease_s=0.1) as watchdog:
        assert eventually(lambda: not watchdog.alive, bound_s=BOUND_S)
        assert watchdog.has_swept
    with Watchdog.start("test-killed", journal=tmp_path / "j") as watchdog:
        assert not watchdog.has_swept
        watchdog._process.kill()
        assert eventually(lambda: not watchdog.alive, bound_s=BOUND_S)
        assert not watchdog.has_swept


def sweeper(source: str) -> tuple[str, ...]:
    return (sys.executable, "-c", f"import sys; {source}")


def let_die(watchdog: Watchdog) -> None:
    """Leave the watchdog as a director does that dies: without a word."""
    with pytest.raises(ZeroDivisionError), watchdog:
        raise ZeroDivisionError


def test_a_sweeper_removes_what_is_elsewhere(tmp_path: Path) -> None:
    swept, journal = tmp_path / "swept", tmp_path / "j"
    watchdog = Watchdog.start("test-elsewhere", journal=journal)
    watchdog.use_sweeper(sweeper(f"open({str(swept)!r}, 'w').write(sys.argv[1])"))
    let_die(watchdog)
    assert swept.read_text() == "test-elsewhere"


def test_faults_that_outlive_the_director_are_ended_by_their_commands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last word counts: what has been lifted meanwhile is not lifted again.

    The commands work in the director's folder, as those of a plan that say `./mend` expect.
    """
    monkeypatch.chdir(tmp_path)
    mended, journal = tmp_path / "mended", tmp_path / "j"
    watchdog = Watchdog.start("test-undo", journal=journal)
    early = sweeper("open('never', 'w')")
    late = sweeper("open('mended', 'w').write('yes')")
    stays = sweeper("sys.exit('it would not go')")
    watchdog.use_undo({"early": Pledge(early, BOUND_S)})
    slow = Pledge(sweeper("import time; time.sleep(60)"), 0.3)
    last = {"late": Pledge(late, BOUND_S), "stays": Pledge(stays, BOUND_S), "slow": slow}
    watchdog.use_undo(last)
    let_die(watchdog)
    assert mended.read_text() == "yes"
    assert not Path("never").exists()
    (failure,) = read_records(journal, JournalEvent)
    assert "fault 'stays' (it would not go)" in str(failure.detail["message"])
    assert re.search(r"fault 'slow' \(.* timed out after 0.3 sec", str(failure.detail["message"]))


@pytest.mark.parametrize(
    "command", [sweeper("sys.exit('a network would not go')"), ("/no/such/a network would not go",)]
)
def test_what_a_sweeper_cannot_remove_is_told(tmp_path: Path, command: tuple[str, ...]) -> None:
    watchdog = Watchdog.start("test-elsewhere", journal=tmp_path / "j")
    watchdog.use_sweeper(command)
    let_die(watchdog)
    (failure,) = read_records(tmp_path / "j", JournalEvent)
    assert "a network would not go" in str(failure.detail["message"])


def test_the_watchdog_is_not_swept_with_its_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(RUN_MARK, "test-mark")
    with Watchdog.start("test-mark", journal=tmp_path / "j") as watchdog:
        time.sleep(0.2)  # until it has become the program, with an environment of its own
        assert leftovers.processes_of("test-mark") == []
        assert watchdog.alive
