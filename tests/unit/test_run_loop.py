"""The run loop on fake parts: whatever ends it, what is on is lifted and the books are read."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from doorbuster import run as run_module
from doorbuster.errors import DoorbusterError, FaultStuck, LeftBehind
from doorbuster.journal import Journal, JournalEvent
from doorbuster.run import ReadFailed, Rehearsal, RunEnded, Stopped, act_out
from doorbuster.rundir import read_records
from doorbuster.timeline import Event
from tests.fakes import LONG, QUICK, FakeParts, plan_of

OVERLAP = [
    Event(0, "phase", True, "rush"),
    Event(0, "gate", True, "baseline"),
    Event(1, "fault", True, "slow"),
    Event(2, "fault", True, "down"),
    Event(3, "fault", False, "slow"),
    Event(4, "fault", False, "down"),
    Event(5, "phase", False, "rush"),
]


class Script:
    """Acts on lists; raises where a test says so."""

    def __init__(self, **raising: BaseException) -> None:
        self.done: list[str] = []
        self.raising = raising

    def play(self, events: list[Event]) -> list[str]:
        act_out(events, act=self.act, wait_until=self.wait_until, gate=lambda: self.step("gate"))
        return self.done

    def step(self, name: str) -> None:
        self.done.append(name)
        if name in self.raising:
            raise self.raising[name]

    def wait_until(self, at_s: float) -> None:
        self.step(f"{at_s:g}")

    @contextmanager
    def act(self, event: Event) -> Iterator[Callable[[], None]]:
        self.step(f"+{event.name}")
        try:
            yield lambda: self.step(f"*{event.name}")
        finally:
            self.step(f"-{event.name}")


def test_a_fault_acts_again_at_its_beats() -> None:
    beats = [Event(at_s, "beat", True, "slow") for at_s in (1.5, 2.5)]
    events = sorted([*OVERLAP[2:6], *beats], key=lambda event: event.at_s)
    assert " ".join(Script().play(events)) == (
        "1 +slow 1.5 *slow 2 +down 2.5 *slow 3 -slow 4 -down"
    )


def test_a_beat_that_fails_lifts_everything() -> None:
    script = Script(**{"*slow": DoorbusterError("no answer")})
    with pytest.raises(DoorbusterError):
        script.play([OVERLAP[2], OVERLAP[3], Event(2.5, "beat", True, "slow")])
    assert script.done[-3:] == ["*slow", "-down", "-slow"]


def test_everything_begins_and_ends_in_order() -> None:
    assert " ".join(Script().play(OVERLAP)) == (
        "0 +rush 0 gate 1 +slow 2 +down 3 -slow 4 -down 5 -rush"
    )


@pytest.mark.parametrize(
    ("raising", "done"),
    [
        ("3", "0 +rush 0 gate 1 +slow 2 +down 3 -down -slow -rush"),
        ("4", "0 +rush 0 gate 1 +slow 2 +down 3 -slow 4 -down -rush"),
        ("+down", "0 +rush 0 gate 1 +slow 2 +down -slow -rush"),
        ("-slow", "0 +rush 0 gate 1 +slow 2 +down 3 -slow -down -rush"),
        ("gate", "0 +rush 0 gate -rush"),
    ],
    ids=["waiting", "waiting after a lift", "entering", "lifting", "at the gate"],
)
@pytest.mark.parametrize("error", [RunEnded("over"), FaultStuck("stuck"), KeyboardInterrupt()])
def test_what_is_on_is_lifted_whatever_happens(
    raising: str, done: str, error: BaseException
) -> None:
    script = Script(**{raising: error})
    with pytest.raises(type(error)):
        script.play(OVERLAP)
    assert " ".join(script.done) == done


def test_lifting_goes_on_after_one_that_is_stuck() -> None:
    script = Script(**{"3": RunEnded("over"), "-down": FaultStuck("down is stuck")})
    with pytest.raises(FaultStuck, match="down is stuck") as raised:
        script.play(OVERLAP)
    assert script.done[-3:] == ["-down", "-slow", "-rush"]
    assert isinstance(raised.value.__context__, RunEnded)


class Played:
    """One rehearsal on fake parts, and what its journal says."""

    def __init__(self, parts: FakeParts, folder: Path, *, text: str = QUICK) -> None:
        path = folder / "journal.ndjson"
        self.error: BaseException | None = None
        with Journal(path) as journal:
            try:
                Rehearsal(plan_of(text), parts.parts(), journal).run()
            except DoorbusterError as error:
                self.error = error
        self.events = list(read_records(path, JournalEvent))

    @property
    def lines(self) -> list[str]:
        return [f"{event.kind} {event.edge} {event.name}" for event in self.events]

    def detail(self, line: str) -> dict[str, object]:
        return dict(self.events[self.lines.index(line)].detail)


@pytest.fixture(autouse=True)
def _no_lead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_module, "LEAD_S", 0.0)


def test_a_rehearsal_goes_through_all_its_stages(tmp_path: Path) -> None:
    parts = FakeParts()
    played = Played(parts, tmp_path)
    assert played.error is None
    assert parts.done == [
        "stack up",
        "sale set",
        "traffic begins",
        "inflict payments latency",
        "lift payments latency",
        "traffic finishes",
        "stack down",
    ]
    assert played.lines == [
        "run begin quick",
        "stage begin stack",
        "stage end stack",
        "stage point no fault stands",
        "stage begin traffic",
        "clock point zero",
        "phase begin baseline",
        "phase end baseline",
        "gate point baseline",
        "phase begin rush",
        "fault begin payments latency",
        "fault active payments latency",
        "fault end payments latency",
        "fault lifted payments latency",
        "phase end rush",
        "stage end traffic",
        "stage point no fault stands",
        "stage begin quiesce",
        "stage point quiesced",
        "stage end quiesce",
        "stage begin final read",
        "stage point ledger read",
        "stage point provider read",
        "stage end final read",
        "stage begin clean-up",
        "stage end clean-up",
        "run end quick",
    ]
    assert played.detail("stage point ledger read") == {"rows": 3}
    assert played.detail("stage point quiesced")["quiet"] is True
    assert played.detail("fault begin payments latency") == {"on": "payments", "kind": "latency"}


def test_phases_and_faults_happen_at_their_moments(tmp_path: Path) -> None:
    played = Played(FakeParts(), tmp_path)
    zero_s = played.detail("clock point zero")["zero_monotonic_s"]
    assert isinstance(zero_s, float)
    at_s = dict(zip(played.lines, (e.monotonic_s - zero_s for e in played.events), strict=True))
    assert at_s["phase begin rush"] >= 0.005
    assert at_s["fault begin payments latency"] >= 0.007
    assert at_s["fault end payments latency"] >= 0.012
    assert at_s["phase end rush"] >= 0.020


def test_without_a_steady_baseline_no_fault_starts_and_the_books_are_read(tmp_path: Path) -> None:
    parts = FakeParts(steady=False)
    played = Played(parts, tmp_path)
    assert "inflict payments latency" not in parts.done
    assert parts.done[-2:] == ["traffic stops at once", "stack down"]
    assert played.detail("gate point baseline")["passed"] is False
    assert "stage point ledger read" in played.lines
    assert not [line for line in played.lines if line.startswith("stop")]


class StopAmidFault:
    """A tick that asks to stop once the fault is on."""

    def __init__(self, parts: FakeParts, *, by_hand: bool) -> None:
        self.parts, self.by_hand, self.asked = parts, by_hand, False

    def __call__(self) -> None:
        if "inflict payments latency" in self.parts.done and not self.asked:
            self.asked = True
            raise Stopped("errors > 60% for 10s", by_hand=self.by_hand)


@pytest.mark.parametrize("by_hand", [False, True])
def test_a_stop_lifts_the_fault_and_reads_the_books(tmp_path: Path, by_hand: bool) -> None:
    parts = FakeParts()
    parts.on_tick = StopAmidFault(parts, by_hand=by_hand)
    played = Played(parts, tmp_path, text=LONG)
    assert played.error is None
    assert parts.done[-3:] == ["lift payments latency", "traffic stops at once", "stack down"]
    assert played.detail("stop point errors > 60% for 10s") == {"by_hand": by_hand}
    lines = played.lines
    assert lines.index("fault lifted payments latency") < lines.index("stage point ledger read")


class QuietAfter:
    """A shop that comes to rest when it has been asked so often."""

    def __init__(self, times: int) -> None:
        self.left = times

    def __call__(self) -> bool:
        self.left -= 1
        return self.left < 0


def test_the_books_are_read_when_the_shop_is_quiet(tmp_path: Path) -> None:
    played = Played(FakeParts(is_quiet=QuietAfter(1)), tmp_path)
    assert played.detail("stage point quiesced")["quiet"] is True


def test_a_shop_that_never_rests_is_read_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_module, "QUIESCE_MARGIN_S", 0.01)
    played = Played(FakeParts(is_quiet=lambda: False), tmp_path)
    assert played.detail("stage point quiesced")["quiet"] is False
    assert "stage point ledger read" in played.lines


def test_by_hand_nobody_waits_for_the_shop_to_rest(tmp_path: Path) -> None:
    quiet = QuietAfter(1)
    parts = FakeParts(is_quiet=quiet)
    parts.on_tick = StopAmidFault(parts, by_hand=True)
    played = Played(parts, tmp_path, text=LONG)
    assert played.detail("stage point quiesced")["quiet"] is False
    assert quiet.left == 0  # asked once
    assert "stage point ledger read" in played.lines


def test_a_stop_while_the_shop_comes_to_rest_ends_the_wait(tmp_path: Path) -> None:
    parts = FakeParts(is_quiet=lambda: False)

    def tick() -> None:
        if "traffic finishes" in parts.done:
            raise Stopped("by hand", by_hand=True)

    parts.on_tick = tick
    played = Played(parts, tmp_path)
    lines = played.lines
    assert lines.index("stop point by hand") > lines.index("stage begin quiesce")
    assert "stage point ledger read" in lines


def unreadable() -> int:
    raise ReadFailed("answered 500")


def test_books_that_cannot_be_read_are_noted(tmp_path: Path) -> None:
    played = Played(FakeParts(read_ledger=unreadable), tmp_path)
    assert played.error is None
    assert "note point the ledger could not be read: answered 500" in played.lines
    assert "stage point ledger read" not in played.lines
    assert "stage point provider read" in played.lines


class Raiser:
    """Raises when it is called."""

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def __call__(self) -> None:
        raise self.error


def test_a_clean_up_that_fails_is_a_failure(tmp_path: Path) -> None:
    played = Played(FakeParts(on_stack_exit=Raiser(LeftBehind("process 7"))), tmp_path)
    assert isinstance(played.error, LeftBehind)
    assert played.detail("failure point clean-up") == {"message": "process 7"}
    assert played.lines[-2:] == ["stage end clean-up", "run end quick"]


def test_a_fault_that_stays_is_never_called_lifted(tmp_path: Path) -> None:
    parts = FakeParts(on_lift=Raiser(FaultStuck("the toxic is still there")))
    played = Played(parts, tmp_path)
    assert isinstance(played.error, FaultStuck)
    assert "fault end payments latency" in played.lines
    assert "fault lifted payments latency" not in played.lines
    assert parts.done[-1] == "stack down"


def test_no_traffic_is_sent_while_an_old_fault_stands(tmp_path: Path) -> None:
    parts = FakeParts(standing=lambda: ["toxic old (latency) on edge"])
    played = Played(parts, tmp_path)
    assert isinstance(played.error, FaultStuck)
    assert "before the first fault there is still something of one: toxic old" in str(played.error)
    assert parts.done == ["stack up", "stack down"]


def test_a_fault_that_stands_after_the_last_one_fails_the_run(tmp_path: Path) -> None:
    parts = FakeParts()
    parts.standing = lambda: ["a hog"] if "traffic finishes" in parts.done else []
    played = Played(parts, tmp_path)
    assert isinstance(played.error, FaultStuck)
    assert "after the last fault there is still something of one: a hog" in str(played.error)
    assert played.lines.count("stage point no fault stands") == 1


def test_a_generator_that_ends_early_ends_the_run_and_the_stack(tmp_path: Path) -> None:
    parts = FakeParts(on_check=Raiser(DoorbusterError("the generator has gone")))
    played = Played(parts, tmp_path, text=LONG)
    assert str(played.error) == "the generator has gone"
    assert parts.done[-1] == "stack down"


def test_a_stop_while_the_generator_gets_ready_reads_the_books(tmp_path: Path) -> None:
    """Somebody gave up waiting for workers: nothing was sent, and nothing is an accident."""

    def refuse() -> None:
        raise Stopped("by hand", by_hand=True)

    parts = FakeParts(on_traffic=refuse)
    played = Played(parts, tmp_path, text=QUICK)
    assert played.error is None
    assert played.detail("stop point by hand") == {"by_hand": True}
    assert "stage point ledger read" in played.lines
    assert not any(line.startswith("clock") for line in played.lines)
