"""Locust users with sets of tasks: one arrival is one pass, and leaves nothing behind."""

import re
from collections import Counter
from pathlib import Path

import pytest

from doorbuster.arrivals import arrivals
from doorbuster.budgets import parse_stop
from doorbuster.plan import load_plan
from doorbuster.rundir import read_records
from doorbuster.series import OperationSecond
from doorbuster.watch import is_met
from tests.integration.test_plain_locust import PLAN
from tests.other_shops import other_shop, respond_forms
from tests.scenarios_fakes import FakeShop, new_traffic_run, traffic
from tests.waiting import eventually

pytestmark = pytest.mark.integration

SETS = """
import weakref
from locust import FastHttpUser, HttpUser, SequentialTaskSet, TaskSet, constant, task

alive, here = weakref.WeakSet(), set()

class Inner(TaskSet):
    @task
    def look(self):
        self.client.get("/item/HOT")
        print("inner")
        self.interrupt()

class Steps(SequentialTaskSet):
    wait_time = constant(0.01)

    def on_start(self):
        print("begin")

    @task
    def first(self):
        self.client.get("/item/HOT")
        print("first")

    tasks = [Inner]

    @task
    def wrong(self):
        raise ValueError("a bug of theirs")

    @task
    def last(self):
        print("last")
        self.interrupt(reschedule=False)

    @task
    def never(self):
        print("never")

    def on_stop(self):
        print("end")

class Kept:
    def on_start(self):
        alive.add(self)
        here.add(id(self))
        print("unfreed", len(alive) - len(here))

    def on_stop(self):
        here.discard(id(self))

class Sequence(Kept, HttpUser):
    tasks = [Steps]

class Single(Kept, FastHttpUser):
    @task
    class Any(TaskSet):
        @task
        def look(self):
            self.client.get("/item/HOT")
            print("single")
"""

HANGING = """
from locust import {kind}, task

class Looker({kind}):
    @task
    def look(self):
        self.client.get("/api/hang")
"""


def test_a_set_is_gone_through_once(tmp_path: Path) -> None:
    (tmp_path / "users.py").write_text(SETS)
    with other_shop(respond_forms) as shop:
        text = PLAN.format(url=shop.url)
        loaded = load_plan(text, source=str(tmp_path / "plan.yaml"), environ={})
        run = new_traffic_run(tmp_path, loaded)
        with traffic(run, loaded, shop.url) as (process, _):
            _, stderr = process.communicate(timeout=60)
    assert process.returncode == 0, stderr.decode()
    said = Counter(stderr.decode().splitlines())
    begun = said["begin"]
    assert begun > 5
    assert begun + said["single"] == len(arrivals(loaded.plan.traffic, loaded.plan.seed))
    assert [said[word] for word in ("first", "inner", "last", "end")] == [begun] * 4
    assert said["never"] == 0
    assert said["ValueError: a bug of theirs"] == begun
    rows = list(read_records(run.series / "operations-0.ndjson", OperationSecond))
    assert sum(row.info for row in rows) == begun, "only what raised is counted as failed"
    assert sum(row.ok for row in rows) == shop.seen["GET item"] == 2 * begun + said["single"]
    assert sum(row.begun for row in rows) == sum(row.due for row in rows)
    kept = [int(number) for number in re.findall(r"unfreed (\d+)", stderr.decode())]
    assert max(kept) <= 3, "a user who is done is not waiting for a garbage collection"
    assert "ResourceWarning" not in stderr.decode(), "its sockets were closed"


@pytest.mark.parametrize("kind", ["HttpUser", "FastHttpUser"])
def test_requests_that_hang_meet_a_stop_condition(tmp_path: Path, kind: str) -> None:
    """Method: no request ever ends, so Locust has no event to tell; look while they hang."""
    users = (
        f"from locust import {kind}, task\nclass Looker({kind}):\n    @task\n    def look(self):\n"
    )
    (tmp_path / "users.py").write_text(f"{users}        self.client.get('/api/hang')\n")
    with FakeShop() as shop:
        shop.answer = lambda *_: None
        text = PLAN.format(url=shop.url)
        loaded = load_plan(text, source=str(tmp_path / "plan.yaml"), environ={})
        run = new_traffic_run(tmp_path, loaded)

        def rows() -> list[OperationSecond]:
            return list(read_records(run.series / "operations-0.ndjson", OperationSecond))

        with traffic(run, loaded, shop.url) as (process, _):
            assert eventually(lambda: sum(row.begun for row in rows()) == 50, bound_s=20)
            assert sum(row.due for row in rows()) == 0, "none has ended yet"
            assert is_met(parse_stop("errors > 60% for 2s"), rows(), 5.0, settled_s=3)
            process.terminate()
            _, stderr = process.communicate(timeout=60)
            assert process.returncode == 0, stderr.decode()
    assert sum(row.info for row in rows()) == 50, "who is cut off is unknown, not forgotten"
    assert sum(row.begun for row in rows()) == 50
