import math
from pathlib import Path

import msgspec
import pytest

from doorbuster.budgets import parse_stop
from doorbuster.errors import DoorbusterError
from doorbuster.rundir import RunDirectory
from doorbuster.series import GeneratorSecond, OperationSecond, StockSecond
from doorbuster.watch import SETTLED_S, LiveSecond, Tail, Watch, is_met, settled_s
from tests.fakes import plan_of

ERRORS = parse_stop("errors > 60% for 3s")


def second(number: int, *, op: str = "view", due: int = 10, info: int = 0) -> OperationSecond:
    return OperationSecond(number, op, due=due, ok=due - info, info=info, good=due - info)


def append(path: Path, *rows: msgspec.Struct) -> None:
    with path.open("ab") as file:
        file.writelines(msgspec.json.encode(row) + b"\n" for row in rows)


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    run = RunDirectory(tmp_path / "run")
    run.create()
    return run


def test_a_tail_reads_on_where_it_stopped(tmp_path: Path) -> None:
    tail = Tail(tmp_path, "operations-*.ndjson", OperationSecond)
    assert tail.read() == []
    first, other, later = second(0), second(0, op="pay"), second(1)
    append(tmp_path / "operations-1.ndjson", first)
    append(tmp_path / "stock.ndjson", StockSecond(0.0, "HOT-1", 1, 1, 0, 0))
    assert tail.read() == [first]
    append(tmp_path / "operations-2.ndjson", other)
    append(tmp_path / "operations-1.ndjson", later)
    assert tail.read() == [first, later, other]
    assert tail.read() == [first, later, other]


def test_a_tail_waits_for_the_end_of_a_line(tmp_path: Path) -> None:
    tail = Tail(tmp_path, "*.ndjson", OperationSecond)
    line = msgspec.json.encode(second(0)) + b"\n"
    with (tmp_path / "operations.ndjson").open("ab", buffering=0) as file:
        for end in (len(line) // 2, -1):
            file.write(line[:end] if end > 0 else line[len(line) // 2 : -1])
            assert tail.read() == []
        file.write(b"\n" + line)
    assert tail.read() == [second(0), second(0)]


def test_a_bad_line_is_no_row(tmp_path: Path) -> None:
    tail = Tail(tmp_path, "*.ndjson", OperationSecond)
    (tmp_path / "operations.ndjson").write_bytes(b'{"second":"one"}\n')
    with pytest.raises(DoorbusterError, match=r"operations\.ndjson: "):
        tail.read()


# At 10.0 s the last settled second is 7, so a window of three seconds is 5 to 7.
WINDOW = [second(number, info=7) for number in (5, 6, 7)]


@pytest.mark.parametrize(
    ("rows", "met"),
    [
        (WINDOW, True),
        ([], False),
        (WINDOW[:2], False),
        ([*WINDOW[:2], second(7, info=6)], False),
        ([*WINDOW, second(7, due=10)], False),
        ([*WINDOW, second(8, due=100), second(4, due=100)], True),
        ([second(number, op=op, info=7) for number in (5, 6, 7) for op in ("pay", "view")], True),
    ],
    ids=["all", "nothing", "a gap", "at the limit", "more rows", "outside", "several operations"],
)
def test_every_second_of_the_window_must_be_beyond_the_limit(
    rows: list[OperationSecond], met: bool
) -> None:
    assert is_met(ERRORS, rows, 10.0, settled_s=3) is met


def test_a_refusal_is_no_error() -> None:
    rows = [OperationSecond(n, "reserve", due=10, refused=10, served=10) for n in (5, 6, 7)]
    assert not is_met(ERRORS, rows, 10.0, settled_s=3)


def test_a_fail_that_is_no_refusal_is_an_error() -> None:
    rows = [OperationSecond(n, "reserve", due=10, fail=10) for n in (5, 6, 7)]
    assert is_met(ERRORS, rows, 10.0, settled_s=3)


def test_a_condition_of_one_operation_looks_at_that_only() -> None:
    condition = parse_stop("errors(pay) > 60% for 3s")
    pays = [second(n, op="pay", due=1, info=1) for n in (5, 6, 7)]
    views = [second(n, due=100) for n in (5, 6, 7)]
    assert is_met(condition, [*pays, *views], 10.0, settled_s=3)
    assert not is_met(ERRORS, [*pays, *views], 10.0, settled_s=3)


def test_goodput_can_stop_a_run() -> None:
    condition = parse_stop("goodput < 4/s for 3s")
    assert is_met(condition, WINDOW, 10.0, settled_s=3)
    assert not is_met(condition, [*WINDOW, second(6)], 10.0, settled_s=3)


@pytest.mark.parametrize(("now_s", "met"), [(5.0, False), (6.0, True)])
def test_warm_up_is_not_looked_at(now_s: float, met: bool) -> None:
    rows = [second(number, info=10) for number in range(-5, 10)]
    assert is_met(parse_stop("errors > 60% for 4s"), rows, now_s, settled_s=3) is met


def test_what_is_tried_in_vain_is_an_error_before_its_outcome_is_known() -> None:
    """In an outage whoever tries on has no outcome yet, and only some are known to have failed."""
    begun = [OperationSecond(n, "reserve", begun=10) for n in (5, 6, 7)]
    assert is_met(ERRORS, begun, 10.0, settled_s=3)
    enough = [OperationSecond(n, "reserve", due=4, ok=4, served=4) for n in (5, 6, 7)]
    assert not is_met(ERRORS, [*begun, *enough], 10.0, settled_s=3)
    known = [OperationSecond(n, "reserve", due=10, ok=10, served=10) for n in (5, 6, 7)]
    assert not is_met(ERRORS, [*begun, *known], 10.0, settled_s=3)


def test_what_has_no_answer_yet_is_given_the_client_s_time_out() -> None:
    plan = plan_of()
    assert settled_s(plan) == math.ceil(plan.traffic.timeout) + 1
    quick = plan.model_copy(update={"traffic": plan.traffic.model_copy(update={"timeout": 0.5})})
    assert settled_s(quick) == SETTLED_S


def test_the_watch_sees_a_breach_as_it_is_written(run: RunDirectory) -> None:
    watch = Watch(plan_of(), run)  # its stop condition: errors > 60% for 5s
    path = run.series / "operations-1.ndjson"
    now_s = 7.0 + settled_s(plan_of())
    append(path, *(second(number, info=7) for number in range(3, 7)))
    assert watch.breach(now_s) is None
    append(path, second(7, info=7))
    assert watch.breach(now_s) == "errors > 60% for 5s"


def test_the_watch_sums_a_second_over_generators_and_operations(run: RunDirectory) -> None:
    watch = Watch(plan_of(), run)
    for worker in (1, 2):
        path = run.series / f"generator-{worker}.ndjson"
        append(path, GeneratorSecond(3, offered=6, started=5, missed=1), GeneratorSecond(4))
        rows = OperationSecond(3, "pay", due=4, ok=1, refused=1, fail=1, info=1), second(4)
        append(run.series / f"operations-{worker}.ndjson", *rows)
    assert watch.second(3) == LiveSecond(3, 12, 10, 2, 2, 2, 2, 2)


def test_the_watch_judges_the_baseline_by_all_three(run: RunDirectory) -> None:
    watch = Watch(plan_of(), run)
    rows = [OperationSecond(n, "view", due=40, ok=40, served=40) for n in range(5)]
    append(run.series / "operations-1.ndjson", *rows)
    assert watch.gate().passed
    append(run.series / "generator-1.ndjson", GeneratorSecond(2, offered=1, missed=1))
    append(run.series / "stock.ndjson", StockSecond(1.0, "HOT-1", 20, 0, 0, 21))
    assert watch.gate().reason == (
        "the generator missed 1 arrivals; stock of HOT-1 did not add up at 1.0 s: "
        "0 available + 0 reserved + 21 sold, of 20"
    )
