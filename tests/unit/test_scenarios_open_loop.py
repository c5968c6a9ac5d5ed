"""The open loop without a shop: due times are kept, missed arrivals counted, failures raised."""

import time

import gevent
import pytest

from doorbuster.arrivals import Arrival
from doorbuster.rundir import read_records
from doorbuster.series import GeneratorSecond
from scenarios.open_loop import OpenLoop, RunClock
from scenarios.recording import Recording
from tests.scenarios_fakes import new_traffic_run, plan_of


class Bench:
    """A loop over arrivals at the given due times, with everything around it."""

    def __init__(self, folder, due_s, visit, *, max_in_flight=100):
        loaded = plan_of()
        self.run_directory = new_traffic_run(folder, loaded)
        self.recording = Recording(self.run_directory, loaded.plan, index=0, started_epoch_s=0.0)
        self.clock = RunClock(time.monotonic())
        self.begun = []
        self.visit = visit
        arrivals = [Arrival(number, at_s, "all") for number, at_s in enumerate(due_s)]
        self.loop = OpenLoop(
            arrivals,
            self._visit,
            clock=self.clock,
            recording=self.recording,
            max_in_flight=max_in_flight,
        )

    def _visit(self, arrival):
        self.begun.append((arrival.index, gevent.getcurrent()))
        assert self.clock.now_s() >= arrival.due_s
        self.visit(arrival)

    def run(self, ends_s=0.3, drain_s=5.0):
        try:
            self.loop.run(ends_s=ends_s, drain_s=drain_s, settles_s=1.0)
        finally:
            self.recording.close()
        return list(read_records(self.run_directory.series / "generator-0.ndjson", GeneratorSecond))


def test_everyone_begins_in_order_and_not_before_time(tmp_path):
    bench = Bench(tmp_path, [n / 200 for n in range(40)], lambda _: gevent.sleep(0.01))
    rows = bench.run()
    assert [index for index, _ in bench.begun] == list(range(40))
    assert (sum(row.started for row in rows), sum(row.missed for row in rows)) == (40, 0)


def test_sessions_share_greenlets_that_are_free(tmp_path):
    bench = Bench(tmp_path, [n / 100 for n in range(20)], lambda _: None)
    bench.run()
    assert len({greenlet for _, greenlet in bench.begun}) < 10


def test_crowd_at_once_all_begins(tmp_path):
    """More than begin in one turn, and all are in flight together."""
    bench = Bench(tmp_path, [0.05] * 60, lambda _: gevent.sleep(0.2))
    rows = bench.run()
    assert len({greenlet for _, greenlet in bench.begun}) == 60
    assert sum(row.started for row in rows) == 60


def test_what_cannot_begin_is_missed_and_counted(tmp_path):
    bench = Bench(tmp_path, [0.01] * 10, lambda _: gevent.sleep(0.3), max_in_flight=4)
    rows = bench.run()
    assert len(bench.begun) == 4
    assert (sum(row.offered for row in rows), sum(row.missed for row in rows)) == (10, 6)


def test_arrivals_that_are_late_begin_all_the_same(tmp_path):
    bench = Bench(tmp_path, [-1.0] * 30, lambda _: None)
    bench.run(ends_s=0.0)
    assert len(bench.begun) == 30


def test_failing_session_ends_the_loop_and_is_raised(tmp_path):
    def visit(arrival):
        if arrival.index == 3:
            raise ZeroDivisionError
        gevent.sleep(0.01)

    bench = Bench(tmp_path, [n / 100 for n in range(500)], visit)
    with pytest.raises(ZeroDivisionError):
        bench.run(ends_s=5.0)
    assert len(bench.begun) < 500


def test_no_session_begins_after_stop(tmp_path):
    bench = Bench(tmp_path, [n / 100 for n in range(1000)], lambda _: gevent.sleep(0.01))
    gevent.spawn_later(0.1, bench.loop.stop)
    began_s = time.monotonic()
    bench.run(ends_s=10.0)
    assert 0 < len(bench.begun) < 500
    assert time.monotonic() - began_s < 5.0


def test_session_that_does_not_end_is_ended(tmp_path):
    ended = []

    def visit(arrival):
        try:
            gevent.sleep(60)
        finally:
            ended.append(arrival.index)

    bench = Bench(tmp_path, [0.0, 0.01], visit)
    began_s = time.monotonic()
    bench.run(ends_s=0.1, drain_s=0.2)
    assert sorted(ended) == [0, 1]
    assert time.monotonic() - began_s < 10
