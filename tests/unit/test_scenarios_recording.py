"""What a traffic process writes: lines as things happen, additive seconds, interval logs."""

import math

import pytest
from hdrh.histogram import HdrHistogram

from doorbuster.operations import Attempt, OperationEvent
from doorbuster.rundir import read_records
from doorbuster.series import GeneratorSecond, OperationSecond
from scenarios.outcome import Extracted
from scenarios.recording import Recording
from scenarios.step import Result, Step
from tests.scenarios_fakes import new_traffic_run, plan_of


@pytest.fixture
def run(tmp_path):
    return new_traffic_run(tmp_path, plan_of())


@pytest.fixture
def recording(run):
    recording = Recording(run, plan_of().plan, index=0, started_epoch_s=1000.0)
    yield recording
    recording.close()


def step(op, due_s=1.5):
    return Step("4-2", op, 4, 2, "patient", "user-4", due_s, "HOT", 1, "ref", "key", None)


def result(outcome, reason=None, *, took_s=0.1, due_s=1.5, extracted=None):
    attempt = Attempt(outcome, due_s + took_s, due_s, reason)
    return Result(
        outcome, reason, due_s + took_s, due_s + took_s / 2, (attempt,), extracted or Extracted()
    )


def flushed(recording, run, second=3):
    recording.flush_second(second, in_flight=7, cpu_share=0.25)
    return list(read_records(run.series / "operations-0.ndjson", OperationSecond))


def logged(recording, run):
    for _ in recording.flush_latencies(before_s=math.inf):
        pass
    found = {}
    for line in (run.latency / "0.hlog").read_text().splitlines():
        if line.startswith("Tag="):
            tag, second, length, _, encoded = line.split(",")
            key = (tag.removeprefix("Tag="), float(second))
            histogram = found.setdefault(key, HdrHistogram(1, 60_000_000, 3))
            histogram.decode_and_add(encoded)
            assert length == "1.000"
    return found


def test_operation_is_on_disk_before_it_is_over(recording, run):
    recording.invoked(step("reserve"), 1.6)
    (line,) = read_records(run.operations / "traffic-0.ndjson", OperationEvent)
    assert (line.type, line.id, line.op, line.at_s, line.due_s) == (
        "invoke",
        "4-2",
        "reserve",
        1.6,
        1.5,
    )
    assert (line.key, line.client_ref, line.sku, line.qty) == ("key", "ref", "HOT", 1)


def test_completion_has_its_attempts(recording, run):
    ended = result("ok", extracted=Extracted(order_id="o", amount=9900))
    recording.completed(step("reserve"), ended)
    (line,) = read_records(run.operations / "traffic-0.ndjson", OperationEvent)
    assert (line.type, line.id, line.order_id, line.amount) == ("ok", "4-2", "o", 9900)
    assert line.attempts == ended.attempts


def test_only_answers_are_read(recording, run):
    recording.completed(step("view"), result("ok"))
    recording.completed(step("stock"), result("info", "timeout"))
    said = Extracted(available=0, reserved=1, sold=9)
    recording.completed(step("stock"), result("ok", extracted=said))
    (line,) = read_records(run.operations / "traffic-0.ndjson", OperationEvent)
    assert (line.type, line.available, line.reserved, line.sold) == ("read", 0, 1, 9)


@pytest.mark.parametrize(
    ("ended", "counted"),
    [
        (result("ok"), {"ok": 1, "served": 1, "good": 1}),
        (result("ok", took_s=1.2), {"ok": 1}),
        (result("fail", "sold_out"), {"refused": 1, "served": 1}),
        (result("fail", "sold_out", took_s=1.2), {"refused": 1}),
        (result("fail", "unavailable"), {"fail": 1}),
        (result("info", "timeout"), {"info": 1}),
    ],
    ids=["good", "slow", "refused", "refused late", "failed", "unknown"],
)
def test_operation_is_counted_once_in_the_second_it_was_due(recording, run, ended, counted):
    recording.completed(step("reserve"), ended)
    assert flushed(recording, run) == [OperationSecond(1, "reserve", due=1, **counted)]


def test_late_outcome_adds_another_row(recording, run):
    recording.completed(step("view", due_s=-0.5), result("ok", due_s=-0.5))
    flushed(recording, run)
    recording.completed(step("view", due_s=-0.5), result("info", "timeout", due_s=-0.5))
    assert flushed(recording, run) == [
        OperationSecond(-1, "view", due=1, ok=1, served=1, good=1),
        OperationSecond(-1, "view", due=1, info=1),
    ]


def test_generator_counts_what_it_could_not_start(recording, run):
    recording.started(2.1, 2.1)
    recording.missed(3.2)
    recording.started(3.3, 3.4)
    flushed(recording, run, second=3)
    assert list(read_records(run.series / "generator-0.ndjson", GeneratorSecond)) == [
        GeneratorSecond(2, offered=1, started=1),
        GeneratorSecond(3, offered=2, started=1, missed=1, in_flight=7, cpu_share=0.25),
    ]


def test_latencies_cover_ok_refused_and_unknown_but_not_failures(recording, run):
    for ended in (
        result("ok", took_s=0.1),
        result("fail", "sold_out", took_s=0.2),
        result("fail", "unavailable", took_s=9.0),
        result("info", "reset", took_s=0.3),
    ):
        recording.completed(step("reserve"), ended)
    found = logged(recording, run)
    intended, service = found["reserve.intended", 1.0], found["reserve.service", 1.0]
    assert intended.get_total_count() == service.get_total_count() == 3
    assert intended.get_value_at_percentile(50) == pytest.approx(200_000, rel=1e-3)
    assert service.get_value_at_percentile(50) == pytest.approx(100_000, rel=1e-3)
    assert intended.get_max_value() == pytest.approx(1_000_000, rel=1e-3)
    assert service.get_max_value() == pytest.approx(1_000_000, rel=1e-3)


def test_lateness_is_logged_by_second_and_lines_add_up(recording, run):
    recording.started(-0.5, -0.4)
    assert logged(recording, run)["lateness", -1.0].get_total_count() == 1
    recording.started(-0.7, -0.7)
    assert logged(recording, run)["lateness", -1.0].get_total_count() == 2
    assert (run.latency / "0.hlog").read_text().count("Tag=lateness,-1.000,") == 2


def test_full_disk_is_a_failure_of_the_harness(run, monkeypatch):
    recording = Recording(run, plan_of().plan, index=1, started_epoch_s=0.0)
    monkeypatch.setattr("os.write", lambda _fd, lines: len(lines) - 1)
    with pytest.raises(Exception, match="wrote"):
        recording.invoked(step("reserve"), 1.0)
    monkeypatch.undo()
    recording.close()
