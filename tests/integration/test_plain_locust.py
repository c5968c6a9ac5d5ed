"""Plain Locust: a user's file under a plan, and our own file in Locust alone."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest

from doorbuster.arrivals import arrivals
from doorbuster.plan import load_plan
from doorbuster.rundir import read_records
from doorbuster.series import GeneratorSecond, OperationSecond
from scenarios.order import StartSignal, TrafficOrder
from tests.other_shops import ADAPTERS, other_shop, respond_forms
from tests.scenarios_fakes import REPOSITORY, new_traffic_run, traffic

pytestmark = pytest.mark.integration

PLAN = """
name: plain
stack: external
target: {{base_url: "{url}"}}
sale:
  opens_at: rush
  items: [{{sku: HOT, stock: 10, price: "99.00", demand: 100%}}]
traffic:
  locustfile: users.py
  arrivals:
    - {{phase: baseline, for: 1s, rate: 10/s}}
    - {{phase: rush, for: 2s, rate: 20/s}}
  warmup: 0s
  timeout: 5s
  patience: 2s
budgets:
  - p99(request) <= 5s
"""
STAGING = "allow_hosts: [shop.example], marker: {path: /, matches: staging}"
USERS = """
import os
from locust import FastHttpUser, HttpUser, between, task

print("a file that prints")
os.write(1, b"past Python, too\\n")

class Looker(HttpUser):
    wait_time = between(5, 9)
    weight = 3

    def on_start(self):
        self.client.get("/item/START", name="start")

    @task
    def look(self):
        print("a task that prints")
        self.client.get("/item/HOT")

class Poster(FastHttpUser):
    @task
    def post(self):
        with self.client.post("/buy", {"sku": "HOT"}, catch_response=True) as page:
            page.failure("no token")
"""

CHAIN = """
from locust import HttpUser, MarkovTaskSet, SequentialTaskSet, transition

class Chain(MarkovTaskSet):
    @transition("look")
    def look(self):
        pass

class Steps(SequentialTaskSet):
    tasks = [Chain]

class Chained(HttpUser):
    tasks = [Steps]
"""


def test_a_users_file_runs_under_a_plan(tmp_path: Path) -> None:
    (tmp_path / "users.py").write_text(USERS)
    with other_shop(respond_forms) as shop:
        text = PLAN.format(url=shop.url)
        loaded = load_plan(text, source=str(tmp_path / "plan.yaml"), environ={})
        run = new_traffic_run(tmp_path, loaded)
        with traffic(run, loaded, shop.url) as (process, _):
            stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 0, stderr.decode()
    assert stdout == b"", "the director understands no other lines than ours"
    said = stderr.decode().splitlines()
    assert set(said) == {"a file that prints", "past Python, too", "a task that prints"}
    everyone = arrivals(loaded.plan.traffic, loaded.plan.seed)
    generator = list(read_records(run.series / "generator-0.ndjson", GeneratorSecond))
    assert sum(row.started for row in generator) == len(everyone) == 50
    rows = list(read_records(run.series / "operations-0.ndjson", OperationSecond))
    assert {row.op for row in rows} == {"request"}
    looked, posted = shop.seen["GET item"], shop.seen["POST buy"]
    assert looked + 2 * posted == 2 * len(everyone)
    assert posted > 3
    assert sum(row.ok for row in rows) == looked
    assert sum(row.info for row in rows) == posted
    log = (run.latency / "0.hlog").read_text()
    assert "Tag=request.intended," in log


def test_its_users_go_the_run_s_way_by_the_shop_s_name(tmp_path: Path) -> None:
    """As behind the proxy of a fault: only the address is another one, for both kinds of client."""
    (tmp_path / "users.py").write_text(USERS)
    with other_shop(respond_forms) as shop:
        there = "http://shop.example:8080"
        text = PLAN.format(url=there).replace('8080"}', f'8080", {STAGING}}}')
        loaded = load_plan(text, source=str(tmp_path / "plan.yaml"), environ={})
        run = new_traffic_run(tmp_path, loaded)
        way = {"allow_hosts": ("shop.example",), "via": shop.url.removeprefix("http://")}
        with traffic(run, loaded, there, **way) as (process, _):
            _, stderr = process.communicate(timeout=60)
    assert process.returncode == 0, stderr.decode()
    assert shop.hosts == {"shop.example:8080"}
    assert shop.seen["GET item"] > 20
    assert shop.seen["POST buy"] > 3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "no such file"),
        ("import nothing_like_this", "nothing_like_this"),
        ("x = 1", "expected a User class with tasks"),
        (CHAIN, "Chain is a MarkovTaskSet, which has no end; expected a TaskSet"),
    ],
)
def test_a_file_that_cannot_be_used_is_said(tmp_path: Path, text, message) -> None:
    if text is not None:
        (tmp_path / "users.py").write_text(text)
    plan = PLAN.format(url="http://127.0.0.1:9")
    loaded = load_plan(plan, source=str(tmp_path / "plan.yaml"), environ={})
    run = new_traffic_run(tmp_path, loaded)
    order = TrafficOrder(run.run_id, str(run.path), loaded.resolved, "http://127.0.0.1:9")
    start = StartSignal(time.monotonic() + 60)
    lines = b"".join(msgspec.json.encode(line) + b"\n" for line in (order, start))
    command = (sys.executable, "-m", "scenarios")
    done = subprocess.run(
        command, input=lines, cwd=REPOSITORY, capture_output=True, timeout=60, check=False
    )
    assert done.returncode == 4
    assert message in done.stderr.decode()


def locust(*arguments: str, plan: Path | None = None) -> "subprocess.CompletedProcess[str]":
    environ = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    if plan is not None:
        environ["DOORBUSTER_PLAN"] = str(plan)
    return subprocess.run(
        (sys.executable, "-m", "locust", "-f", "scenarios/locustfile.py", *arguments),
        cwd=REPOSITORY,
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_our_own_file_works_in_locust_alone(tmp_path: Path) -> None:
    plan = tmp_path / "plan.yaml"
    shopping = PLAN.replace("  locustfile: users.py\n", "").replace("p99(request)", "p99(view)")
    with other_shop(respond_forms, stock=5) as shop:
        text = shopping.format(url=shop.url)
        plan.write_text(text.replace("stack: ext", f"shop: {ADAPTERS / 'forms.yaml'}\nstack: ext"))
        run = ("--headless", "-u", "5", "-r", "5", "-t", "8", "--json", "--host", shop.url)
        done = locust(*run, plan=plan)
    assert done.returncode == 0, done.stderr
    stats = {row["name"]: row for row in json.loads(done.stdout)}
    assert stats["view"]["num_requests"] > 0
    assert stats["reserve"]["num_requests"] > 0
    assert sum(row["num_failures"] for row in stats.values()) == 0
    assert shop.seen["POST buy"] > 0


def test_a_host_that_is_not_allowed_ends_it(tmp_path: Path) -> None:
    done = locust("--headless", "-u", "1", "-t", "5", "--host", "http://shop.example")
    assert done.returncode != 0
    assert "not on the allow-list" in done.stderr
