"""Components as real processes: kill and pause reach everything, and nobody outlives us."""

import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from doorbuster import leftovers
from doorbuster.errors import LeftBehind, MissingPrerequisite, TargetNotReady
from doorbuster.stack import child
from doorbuster.stack.component import LocalComponent, end_all
from doorbuster.stack.place import postgres_account, temporary_place
from doorbuster.stack.process import Account, Place, Program, spawn
from tests.waiting import eventually

pytestmark = pytest.mark.integration

BOUND_S = 10.0
OF_THE_C_LIBRARY = 0b11 << 31
"""Signals 32 and 33, which glibc keeps for itself: whoever ignores them, no program can undo it."""
as_root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")

# Starts three that are hard to find: one in its own session, an orphan that init adopted, and an
# orphan with an empty environment. Then starts a new short-lived one every few milliseconds.
FAMILY = """
import os, subprocess, sys, time
sleep = [sys.executable, "-c", "import time; time.sleep(60)"]
subprocess.Popen(sleep, start_new_session=True)
orphans = "import os, subprocess, sys; subprocess.Popen({}, env={})"
for environment in ("None", "{}"):
    subprocess.run([sys.executable, "-c", orphans.format(sleep, environment)])
open("ready", "w").close()
while True:
    subprocess.run(["sh", "-c", "echo tick >> ticks; exec sleep 0.02"], start_new_session=True)
"""


def run_id_for_test() -> str:
    return f"test{uuid.uuid4().hex[:8]}"


def python(place: Place, source: str, *, account: Account | None = None) -> Program:
    return Program(
        component="part",
        command=(sys.executable, "-c", source),
        home=place.home_of("part", account=account),
        log=place.logs / "part.log",
        account=account,
    )


def made_ready(component: LocalComponent) -> str:
    return "" if (component.program.home / "ready").exists() else "no file `ready`"


def component_of(program: Program, place: Place) -> LocalComponent:
    return LocalComponent(program, run_id=place.run_id, address="127.0.0.1:1", ready=made_ready)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with temporary_place(run_id_for_test(), logs=tmp_path / "logs") as place:
        yield place


@pytest.fixture
def family(place: Place) -> Iterator[LocalComponent]:
    component = component_of(python(place, FAMILY), place)
    component.start()
    component.wait_ready()
    yield component
    component.kill()


def sleepers(component: LocalComponent) -> list[int]:
    """Return those of its processes that last, without the short-lived ones."""
    found = [psutil.Process(pid) for pid in component.pids()]
    return [p.pid for p in found if p.cmdline()[-1:] == ["import time; time.sleep(60)"]]


def test_kill_reaches_orphans_and_other_sessions(family: LocalComponent) -> None:
    family.pause()  # so that nothing ends between listing and looking
    assert len(sleepers(family)) == 3
    everybody = family.pids()
    family.kill()
    assert not family.pids()
    assert not {process.pid for process in leftovers.find(lambda _: True)} & set(everybody)


def test_nothing_moves_while_paused_and_all_goes_on_after(family: LocalComponent) -> None:
    ticks = family.program.home / "ticks"
    assert eventually(ticks.exists)
    family.pause()
    at_pause = ticks.stat().st_size
    time.sleep(0.3)
    assert ticks.stat().st_size == at_pause
    assert {psutil.Process(pid).status() for pid in family.pids()} == {psutil.STATUS_STOPPED}
    lasting = sleepers(family)
    family.resume()
    assert eventually(lambda: ticks.stat().st_size > at_pause)
    assert psutil.STATUS_STOPPED not in {psutil.Process(pid).status() for pid in lasting}


def test_a_paused_component_can_be_killed_and_restarted(family: LocalComponent) -> None:
    family.pause()
    before = set(family.pids())
    family.kill()
    (family.program.home / "ready").unlink()
    family.restart()
    assert family.pids()
    assert not before & set(family.pids())


def test_a_stubborn_component_ends_all_the_same(place: Place) -> None:
    source = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        "open('ready', 'w').close(); time.sleep(60)"
    )
    component = component_of(python(place, source), place)
    component.start()
    component.wait_ready()
    component.pause()
    end_all([component])
    assert not component.pids()


def test_a_component_may_say_goodbye_even_when_paused(place: Place) -> None:
    source = (
        "import signal, sys, time;"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit('closing time'));"
        "open('ready', 'w').close(); time.sleep(60)"
    )
    component = component_of(python(place, source), place)
    component.start()
    component.wait_ready()
    component.pause()
    end_all([component])
    assert component.logs.read_text() == "closing time\n"


ENDS_IN_ORDER = """
import signal, sys, time
def end(*_):
    open("ended in order", "w").close()
    sys.exit(0)
signal.signal(signal.SIGTERM, {})
open("ready", "w").close()
time.sleep(60)
"""


@pytest.mark.parametrize("handler", ["end", "signal.SIG_IGN"])
def test_in_the_middle_of_a_run_it_is_asked_to_end_and_then_made_to(
    place: Place, handler: str
) -> None:
    component = component_of(python(place, ENDS_IN_ORDER.format(handler)), place)
    component.start()
    component.wait_ready()
    begun_s = time.monotonic()
    component.end(5.0 if handler == "end" else 0.3)
    assert not component.pids()
    in_order = (component.program.home / "ended in order").exists()
    assert in_order == (handler == "end")
    assert in_order or time.monotonic() - begun_s >= 0.3
    component.restart()
    assert component.pids()
    end_all([component])


def test_hogs_end_by_themselves_should_nobody_end_them(place: Place) -> None:
    component = component_of(python(place, ENDS_IN_ORDER.format("end")), place)
    component.start_hog(cores=2, bound_s=0.5)
    assert len(component.hogs()) == 2
    assert component.pids() == []
    assert leftovers.stack_processes_of(place.run_id), "whoever sweeps the run finds them"
    assert eventually(lambda: component.hogs() == [])
    component.end_hog()


def test_a_component_that_ends_while_starting_is_quoted(place: Place) -> None:
    component = component_of(python(place, "raise SystemExit('the shelf is empty')"), place)
    component.start()
    with pytest.raises(TargetNotReady, match=r"part ended while starting.*\n.*\n  the shelf is"):
        component.wait_ready()


def test_children_start_without_what_would_redirect_them(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTPS_PROXY", "PGHOST"):
        monkeypatch.setenv(name, "elsewhere")
    process = spawn(python(place, "import os; print(sorted(os.environ))"), run_id=place.run_id)
    assert process.wait(BOUND_S) == 0
    names = (place.logs / "part.log").read_text()
    assert "DOORBUSTER_RUN" in names
    assert not [name for name in ("http_proxy", "HTTPS_PROXY", "PGHOST") if name in names]


def test_a_child_that_talks_has_only_its_errors_in_the_log(place: Place) -> None:
    source = "import sys; print(input() + ' sold'); sys.exit('the shelf is empty')"
    with spawn(python(place, source), run_id=place.run_id, talk=True) as process:
        assert process.communicate(b"one", BOUND_S)[0] == b"one sold\n"
    assert (place.logs / "part.log").read_text() == "the shelf is empty\n"


def test_children_do_not_inherit_ignored_signals(place: Place) -> None:
    command = ("grep", "-E", "Sig(Ign|Blk)", "/proc/self/status")
    program = Program("part", command, place.folder, place.logs / "part.log")
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
    before = signal.signal(signal.SIGQUIT, signal.SIG_IGN)
    try:
        assert spawn(program, run_id=place.run_id).wait(BOUND_S) == 0
    finally:
        signal.signal(signal.SIGQUIT, before)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGUSR1})
    masks = (place.logs / "part.log").read_text().split()[1::2]
    assert len(masks) == 2
    assert [mask for mask in masks if int(mask, 16) & ~OF_THE_C_LIBRARY] == []


DIRECTOR = """
import sys, time
from pathlib import Path
from doorbuster.stack.process import Account, Program, spawn
uid, gid, folder = int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
account = Account(uid, gid) if uid else None
sleep = (sys.executable, "-c", "import time; time.sleep(60)") if not uid else ("sleep", "60")
spawn(Program("part", sleep, folder, folder / "log", account=account), run_id=sys.argv[4])
print("spawned", flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("as_other_user", [False, pytest.param(True, marks=as_root_only)])
def test_children_die_with_a_killed_director(place: Place, *, as_other_user: bool) -> None:
    account = postgres_account(place) if as_other_user else None
    uid, gid = (account.uid, account.gid) if account else (0, 0)
    command = [sys.executable, "-c", DIRECTOR, str(uid), str(gid), str(place.folder), place.run_id]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as director:
        assert director.stdout is not None
        assert director.stdout.readline() == b"spawned\n"
        assert eventually(lambda: len(asleep(place)) == 1)
        if account:
            assert asleep(place)[0].uids().real == account.uid
        director.kill()
    assert eventually(lambda: not leftovers.processes_of(place.run_id))


def asleep(place: Place) -> list[psutil.Process]:
    """Return the run's processes that are past the trampoline."""
    found = leftovers.processes_of(place.run_id)
    return [p for p in found if str(child.__file__) not in p.cmdline()]


def test_a_child_whose_parent_has_gone_already_does_not_start() -> None:
    somebody_else = str(os.getppid())
    trampoline = [sys.executable, "-I", "-S", child.__file__, somebody_else, "-", "-"]
    command = [*trampoline, sys.executable, "-c", "print('alive')"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert "has gone" in ended.stderr


def test_the_terminals_ctrl_c_does_not_reach_a_child(place: Place) -> None:
    """The shop has to live until its books are read, so it is in a session of its own."""
    process = spawn(python(place, "import os; print(os.getsid(0))"), run_id=place.run_id)
    assert process.wait(BOUND_S) == 0
    assert (place.logs / "part.log").read_text() == f"{process.pid}\n"


def test_a_missing_program_is_named(place: Place) -> None:
    program = Program("part", ("no-such-program",), place.folder, place.logs / "part.log")
    with pytest.raises(MissingPrerequisite, match="no program 'no-such-program' here: install it"):
        spawn(program, run_id=place.run_id)


def test_spawning_from_another_thread_is_refused(place: Place) -> None:
    """The death signal would come when that thread ends, not when the director does."""
    refused: list[AssertionError] = []

    def attempt() -> None:
        try:
            spawn(python(place, "pass"), run_id=place.run_id).wait(BOUND_S)
        except AssertionError as error:
            refused.append(error)

    thread = threading.Thread(target=attempt)
    thread.start()
    thread.join()
    assert len(refused) == 1


def test_what_is_left_of_a_run_is_named_and_swept(tmp_path: Path) -> None:
    beginning = run_id_for_test()
    run_id = f"{beginning}-2"
    with temporary_place(run_id, logs=tmp_path) as place:
        program = python(place, "import time; time.sleep(60)")
        process = spawn(program, run_id=run_id)
        with pytest.raises(LeftBehind, match=rf"process {process.pid} .*; folder {place.folder}"):
            leftovers.require_nothing_left(run_id)
        assert not leftovers.leftovers_of(beginning)  # another run, whose id begins alike
        process.send_signal(signal.SIGSTOP)
    assert process.wait(BOUND_S) == -signal.SIGKILL
    leftovers.require_nothing_left(run_id)
