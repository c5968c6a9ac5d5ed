"""The traffic process as the director starts it: a whole small run, its ends and its failures."""

import math
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import ExitStack

import msgspec
import pytest

from doorbuster.arrivals import arrivals
from doorbuster.operations import SECOND, OperationEvent
from doorbuster.rundir import read_lines, read_records
from doorbuster.series import FunnelSecond, GeneratorSecond, OperationSecond
from scenarios.order import TrafficOrder
from tests.scenarios_fakes import (
    PLAN,
    REPOSITORY,
    FakeShop,
    new_traffic_run,
    plan_of,
    traffic,
)

pytestmark = pytest.mark.integration

WAIT_S = 60


def events_of(run):
    return [
        event
        for path in sorted(run.operations.glob("*.ndjson"))
        for event in read_records(path, OperationEvent)
    ]


def generator_of(run):
    return [
        row
        for path in sorted(run.series.glob("generator-*.ndjson"))
        for row in read_records(path, GeneratorSecond)
    ]


def test_whole_run_leaves_complete_files(tmp_path):
    loaded = plan_of()
    run = new_traffic_run(tmp_path, loaded)
    with FakeShop(units=30) as shop, traffic(run, loaded, shop.url) as (process, _):
        _, stderr = process.communicate(timeout=WAIT_S)
        assert (process.returncode, stderr) == (0, b"")

    everyone = arrivals(loaded.plan.traffic, loaded.plan.seed)
    generator = generator_of(run)
    assert sum(row.offered for row in generator) == len(everyone)
    assert sum(row.started for row in generator) == len(everyone)
    due = Counter(math.floor(arrival.due_s) for arrival in everyone)
    offered = Counter()
    for row in generator:
        offered[row.second] += row.offered
    assert +offered == due
    assert {-1, 0, 1, 2, 3, 4} <= {row.second for row in generator}
    assert any(row.cpu_share > 0 for row in generator)

    events = events_of(run)
    invoked = {event.id for event in events if event.type == "invoke"}
    ended = [event for event in events if event.type in ("ok", "fail", "info")]
    assert invoked == {event.id for event in ended}
    assert len(invoked) == len(ended)
    bought = {event.client_ref for event in ended if (event.op, event.type) == ("reserve", "ok")}
    assert bought == set(shop.orders)
    assert len(bought) == 30
    assert {event.reason for event in ended if event.op == "reserve" and event.type == "fail"} == {
        "sold_out"
    }

    seconds = list(read_records(run.series / "operations-0.ndjson", OperationSecond))
    for op in ("reserve", "pay"):
        assert sum(row.due for row in seconds if row.op == op) == sum(e.op == op for e in ended)
    assert sum(row.due for row in seconds if row.op == "view") == shop.requests["GET products"]
    assert_funnel_of(run, len(everyone))
    log = (run.latency / "0.hlog").read_text()
    for tag in ("lateness", "view.intended", "view.service", "reserve.intended", "pay.service"):
        assert f"Tag={tag}," in log


def assert_funnel_of(run, sessions):
    """Every session is in the funnel once, and those who paid are those who did."""
    funnel = list(read_records(run.series / "funnel-0.ndjson", FunnelSecond))
    assert sum(row.sessions for row in funnel) == sessions
    paid = [e for e in events_of(run) if (e.op, e.type) == ("pay", "ok")]
    assert sum(row.sessions for row in funnel if row.stage == "paid") == len(paid) > 0
    assert "sold_out" in {row.lost for row in funnel}


def test_two_processes_want_what_one_does(tmp_path):
    """Whatever the number of processes, the same arrivals are the same people."""
    loaded = plan_of()
    wanted = []
    for count in (1, 2):
        run = new_traffic_run(tmp_path, loaded)
        with FakeShop() as shop, ExitStack() as started:
            for index in range(count):
                one = traffic(run, loaded, shop.url, index=index, count=count)
                process, _ = started.enter_context(one)
                started.callback(process.communicate, timeout=WAIT_S)
        first = {e.arrival: e for e in reversed(events_of(run)) if e.type == "invoke"}
        wanted.append({(e.arrival, e.persona, e.sku, e.user_ref) for e in first.values()})
        assert len(list(run.operations.iterdir())) == count
    assert wanted[0] == wanted[1]
    assert len(wanted[0]) > 50


def test_terminated_run_drains_and_ends_well(tmp_path):
    """SIGTERM: no more arrivals, at most three seconds for those in flight, the rest unknown."""
    loaded = plan_of(PLAN.replace("timeout: 1s", "timeout: 30s"))
    run = new_traffic_run(tmp_path, loaded)
    with FakeShop() as shop, traffic(run, loaded, shop.url) as (process, zero_s):
        sell = shop.answer
        shop.answer = lambda method, *rest: sell(method, *rest) if method == "GET" else None
        time.sleep(max(0.0, zero_s + 3.2 - time.monotonic()))
        process.send_signal(signal.SIGTERM)
        terminated_s = time.monotonic()
        _, stderr = process.communicate(timeout=WAIT_S)
        assert (process.returncode, stderr) == (0, b"")
        assert time.monotonic() - terminated_s < 10
    everyone = arrivals(loaded.plan.traffic, loaded.plan.seed)
    assert 0 < sum(row.offered for row in generator_of(run)) < len(everyone)
    events = events_of(run)
    stopped = {event.id for event in events if event.reason == "stopped"}
    assert stopped
    assert stopped == {event.id for event in events if event.type == "invoke"}
    seconds = list(read_records(run.series / "operations-0.ndjson", OperationSecond))
    assert sum(row.info for row in seconds if row.op == "reserve") == len(stopped)
    funnel = list(read_records(run.series / "funnel-0.ndjson", FunnelSecond))
    assert sum(row.sessions for row in funnel) == sum(row.started for row in generator_of(run))
    assert any(row.lost == "unfinished" for row in funnel)


def test_meetings_doubled_steps_and_own_users_in_a_real_process(tmp_path):
    """Everybody who pays does so twice, at one instant, as a user of their own."""
    users = tmp_path / "users.csv"
    users.write_text("login,mail\n" + "".join(f"u{n},u{n}@shop.example\n" for n in range(7)))
    extra = (
        f"  data: {{users: {users}}}\n"
        "  rendezvous: [{step: pay, at: rush+3900ms, gather: 60s}]\n"
        "  doubled: [{step: pay, apart: 50ms}]\n"
    )
    loaded = plan_of(PLAN.replace("for: 2s, rate: 40/s", "for: 4s, rate: 10/s") + extra)
    run = new_traffic_run(tmp_path, loaded)
    with FakeShop() as shop, traffic(run, loaded, shop.url) as (process, _):
        _, stderr = process.communicate(timeout=WAIT_S)
        assert (process.returncode, stderr) == (0, b"")
    pays = {e.id: e for e in events_of(run) if (e.op, e.type) == ("pay", "invoke")}
    first = {id_: e for id_, e in pays.items() if not id_.endswith(SECOND)}
    together = [e for e in first.values() if e.due_s == 5.9]
    assert len(together) > 10
    assert all(e.due_s >= 5.9 for e in first.values())
    assert len(pays) == 2 * len(first)
    for id_, event in first.items():
        again = pays[id_ + SECOND]
        assert (again.key, again.order_id) == (event.key, event.order_id)
        assert again.due_s == pytest.approx(event.due_s + 0.05)
        assert event.user_ref == f"u{event.arrival % 7}"
    late = [pays[e.id + SECOND].at_s - e.at_s for e in together]
    assert min(late) < 1  # beside the first, not after the shop's answer to it


def test_killed_run_has_written_every_invocation(tmp_path):
    """Kill -9 in mid-rush: what the shop was asked to sell is in the file, cut lines or not."""
    loaded = plan_of()
    run = new_traffic_run(tmp_path, loaded)
    with FakeShop() as shop, traffic(run, loaded, shop.url) as (process, zero_s):
        time.sleep(max(0.0, zero_s + 2.9 - time.monotonic()))
        process.kill()
        process.wait()
        time.sleep(0.2)
    invoked = {event.client_ref for event in events_of(run) if event.type == "invoke"}
    assert shop.orders
    assert set(shop.orders) <= invoked
    for folder in (run.operations, run.series):
        for path in folder.iterdir():
            assert read_lines(path).cut == 0
    assert sum(row.started for row in generator_of(run)) > 0


def test_shop_that_never_answers_holds_nobody_for_ever(tmp_path):
    loaded = plan_of(
        PLAN.replace("timeout: 1s", "timeout: 300ms").replace("patience: 2s", "patience: 1s")
    )
    run = new_traffic_run(tmp_path, loaded)
    with FakeShop() as shop:
        shop.answer = lambda *_: None
        with traffic(run, loaded, shop.url) as (process, zero_s):
            _, stderr = process.communicate(timeout=WAIT_S)
            assert (process.returncode, stderr) == (0, b"")
            assert time.monotonic() - zero_s < 4 + 1 + 0.3 + 10
    rows = list(read_records(run.series / "operations-0.ndjson", OperationSecond))
    assert sum(row.info for row in rows) == sum(row.due for row in rows) > 0
    assert shop.requests.total() > 1.5 * len(arrivals(loaded.plan.traffic, loaded.plan.seed))


def test_arrivals_above_the_limit_are_missed_and_counted(tmp_path):
    loaded = plan_of(PLAN + "  max_in_flight: 3\n")
    run = new_traffic_run(tmp_path, loaded)
    with FakeShop() as shop, traffic(run, loaded, shop.url) as (process, _):
        process.communicate(timeout=WAIT_S)
    rows = generator_of(run)
    everyone = arrivals(loaded.plan.traffic, loaded.plan.seed)
    missed, started = sum(row.missed for row in rows), sum(row.started for row in rows)
    assert missed > 0
    assert missed + started == sum(row.offered for row in rows) == len(everyone)
    assert max(row.in_flight for row in rows) <= 3


def start(*arguments, **options):
    return subprocess.Popen(
        [sys.executable, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=REPOSITORY,
        **options,
    )


def order_line(run, loaded, url, **changes):
    order = TrafficOrder(run.run_id, str(run.path), loaded.resolved, url)
    return msgspec.json.encode(msgspec.structs.replace(order, **changes)) + b"\n"


def test_director_that_goes_away_is_no_failure(tmp_path):
    loaded = plan_of()
    run = new_traffic_run(tmp_path, loaded)
    process = start("-m", "scenarios")
    assert process.communicate(timeout=WAIT_S) == (b"", b"")
    assert process.returncode == 0
    process = start("-m", "scenarios")
    stdout, stderr = process.communicate(order_line(run, loaded, "http://127.0.0.1:9"), WAIT_S)
    assert (process.returncode, stdout, stderr) == (0, b"ready\n", b"")


def test_terminated_before_the_start_is_no_failure(tmp_path):
    loaded = plan_of()
    run = new_traffic_run(tmp_path, loaded)
    process = start("-m", "scenarios")
    process.stdin.write(order_line(run, loaded, "http://127.0.0.1:9"))
    process.stdin.flush()
    assert process.stdout.readline() == b"ready\n"
    process.terminate()
    assert process.wait(WAIT_S) == 0
    assert process.communicate() == (b"", b"")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"base_url": "http://shop.example:80"}, b"not on the allow-list"),
        ({"adapter": "/does/not/exist.yaml"}, b"expected an adapter file"),
    ],
)
def test_bad_order_is_a_failure_of_the_harness(tmp_path, change, message):
    loaded = plan_of()
    run = new_traffic_run(tmp_path, loaded)
    process = start("-m", "scenarios")
    _, stderr = process.communicate(order_line(run, loaded, "http://127.0.0.1:9", **change), WAIT_S)
    assert process.returncode == 4
    assert message in stderr


def test_order_that_is_no_order_is_a_failure_of_the_harness():
    process = start("-m", "scenarios")
    _, stderr = process.communicate(b"{}\n", WAIT_S)
    assert process.returncode == 4
    assert b"expected a TrafficOrder" in stderr


BROKEN = """
import runpy, sys
from scenarios import {module}
def broken(*_args, **_keywords):
    raise RuntimeError("planted")
{patch}
sys.argv = ["scenarios"]
runpy.run_module("scenarios", run_name="__main__")
"""


@pytest.mark.parametrize(
    ("module", "patch"),
    [
        ("personas", "personas.JOURNEYS = dict.fromkeys(personas.JOURNEYS, broken)"),
        ("recording", "recording.Recording.invoked = broken"),
        ("recording", "recording.Recording.flush_second = broken"),
        ("wire", "wire.Deadlines.sweep = broken"),
        ("driver", "driver.locust.events.request.add_listener(broken)"),
    ],
    ids=["journey", "operations", "series", "sweeper", "listener"],
)
def test_broken_generator_is_never_swallowed(tmp_path, module, patch):
    """Locust logs and goes on; a rehearsal whose generator lost a part must end with 4."""
    loaded = plan_of(
        PLAN.replace("for: 2s", "for: 500ms").replace("spread: 500ms", "spread: 100ms")
    )
    run = new_traffic_run(tmp_path, loaded)
    with FakeShop() as shop:
        process = start("-c", BROKEN.format(module=module, patch=patch))
        line = msgspec.json.encode({"zero_monotonic_s": time.monotonic() + 3.0}) + b"\n"
        _, stderr = process.communicate(order_line(run, loaded, shop.url) + line, WAIT_S)
    assert process.returncode == 4, stderr.decode()
    assert b"planted" in stderr
