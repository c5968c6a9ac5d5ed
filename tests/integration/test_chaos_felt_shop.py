"""Every fault of connections, processes, Redis and the provider: felt by the victim, then gone."""

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
import redis

from chaos.pledge import Pledge
from chaos.probe import is_ended
from doorbuster.errors import DoorbusterError, FaultStuck
from doorbuster.faults.provider import MODES
from tests.chaos_fakes import fault
from tests.integration.drill_stack import Drill, answer_s, drill_stack, symptom
from tests.waiting import eventually

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def drill(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Drill]:
    logs = tmp_path_factory.mktemp("logs")
    with drill_stack(logs, replicas=2, reservation="redis_gate", redis=True) as drill:
        yield drill


@pytest.fixture(autouse=True)
def _as_before(drill: Drill) -> Iterator[None]:
    """After each fault shoppers are served as before, and no toxic is left."""
    yield
    assert eventually(lambda: symptom(drill.topology.shop_url) == "200")
    with httpx.Client(base_url=drill.topology.proxy_api, trust_env=False) as http:
        proxies = http.get("/proxies").json()
    assert [p["name"] for p in proxies.values() if p["toxics"] or not p["enabled"]] == []


@pytest.mark.parametrize(
    ("kind", "met"),
    [
        ({"timeout": {}}, "ReadTimeout"),
        ({"blackhole": {}}, "ReadTimeout"),
        ({"reset_peer": {}}, "ReadError"),
        ({"limit_data": {"bytes": "20B"}}, "RemoteProtocolError"),
        ({"down": {}}, "ConnectError"),
    ],
)
def test_a_broken_edge_is_met_by_shoppers(drill: Drill, kind: dict[str, Any], met: str) -> None:
    with drill.inflicted("edge", **kind):
        assert symptom(drill.topology.shop_url) == met


def test_latency_is_met_by_its_share_of_connections(drill: Drill) -> None:
    with drill.inflicted("edge", latency={"delay": "300ms", "share": "50%"}):
        took_s = [answer_s(drill.topology.shop_url) for _ in range(8)]
    assert max(took_s) >= 0.3
    assert min(took_s) < 0.3


def test_a_flapping_edge_is_down_and_up_at_its_beats(drill: Drill) -> None:
    url = drill.topology.shop_url
    with drill.inflicted("edge", flap={"down": "1s", "up": "1s"}) as beat:
        assert symptom(url) == "ConnectError"
        beat()
        assert symptom(url, patience_s=5.0) == "200"
        beat()
        assert symptom(url) == "ConnectError"


def test_a_partitioned_provider_reaches_nobody_and_nobody_reaches_it(drill: Drill) -> None:
    def met_through(connection: str) -> str:
        host, port = drill.address_of(connection)
        return symptom(f"http://{host}:{port}", "/healthz")

    assert met_through("payments") == "200"
    with drill.inflicted("provider", partition={}):
        assert met_through("payments") == "ReadTimeout"
        assert met_through("webhooks") == "ReadTimeout"
        assert symptom(drill.topology.shop_url) == "200"
    assert met_through("payments") == "200"


def test_a_partitioned_storefront_reaches_no_database(drill: Drill) -> None:
    with drill.inflicted("storefront", partition={}):
        assert symptom(drill.topology.shop_url) == "ReadTimeout"
        assert symptom(drill.topology.shop_direct_url, patience_s=10.0) == "503"


def test_a_restarted_component_ends_in_order_and_is_another_process(drill: Drill) -> None:
    provider = drill.topology.components["provider"]
    before = provider.pids()
    with drill.inflicted("provider", restart={"grace": "5s"}):
        assert is_ended(provider)
    assert not set(before) & set(provider.pids())


def test_replicas_are_restarted_one_after_the_other_while_shoppers_are_served(
    drill: Drill,
) -> None:
    one, two = (drill.topology.components[f"storefront-{n}"] for n in (1, 2))
    pids = [one.pids(), two.pids()]
    with drill.inflicted("storefront", rolling={"every": "1s"}) as beat:
        assert (one.pids() != pids[0], two.pids() == pids[1]) == (True, True)
        assert symptom(drill.topology.shop_url, patience_s=5.0) == "200"
        beat()
        assert two.pids() != pids[1]
        restarted = one.pids(), two.pids()
        beat()  # nobody is left
    assert (one.pids(), two.pids()) == restarted


def test_a_crash_loop_kills_what_has_come_up(drill: Drill) -> None:
    provider = drill.topology.components["provider"]
    with drill.inflicted("provider", crash_loop={"down": "1s", "up": "1s"}) as beat:
        assert is_ended(provider)
        beat()
        assert symptom(drill.topology.provider_direct_url, "/healthz", patience_s=5.0) == "200"
        beat()
        assert is_ended(provider)
    assert symptom(drill.topology.provider_direct_url, "/healthz", patience_s=5.0) == "200"


def test_a_hog_uses_the_processors_that_the_shop_needs(drill: Drill) -> None:
    replica = drill.topology.components["storefront-1"]
    own = replica.pids()
    with drill.inflicted("storefront-1", hog={"cores": 2}):
        hogs = [psutil.Process(pid) for pid in replica.hogs()]
        assert len(hogs) == 2
        assert eventually(lambda: all(hog.cpu_times().user > 0.05 for hog in hogs))
        assert replica.pids() == own, "the hog is beside the shop and no part of it"
    assert replica.hogs() == []
    assert not any(psutil.pid_exists(hog.pid) for hog in hogs)


@pytest.fixture
def store(drill: Drill) -> Iterator["redis.Redis"]:
    url = drill.topology.redis_direct_url
    assert url is not None
    client = redis.Redis.from_url(url, socket_timeout=0.5, socket_connect_timeout=0.5)
    yield client
    client.close()


def test_a_flush_empties_redis(drill: Drill, store: "redis.Redis") -> None:
    store.set("cached", 1)
    with drill.inflicted("redis-server", flush={}):
        assert store.get("cached") is None


@pytest.mark.parametrize("kind", ["kill", "restart"])
def test_redis_comes_back_empty(drill: Drill, store: "redis.Redis", kind: str) -> None:
    store.set("cached", 1)
    with drill.inflicted("redis-server", **{kind: {}}), pytest.raises(redis.ConnectionError):
        store.ping()
    assert store.get("cached") is None


def test_a_paused_redis_answers_nobody_and_keeps_what_it_has(
    drill: Drill, store: "redis.Redis"
) -> None:
    store.set("cached", 1)
    with drill.inflicted("redis-server", pause={}), pytest.raises(redis.TimeoutError):
        store.get("cached")
    assert store.get("cached") == b"1"


def charged(drill: Drill, key: str) -> str:
    """Charge a card through the provider and return the status, or what came instead."""
    body = {"merchant_ref": key, "amount": 100, "currency": "EUR", "method": "tok_ok"}
    try:
        with httpx.Client(timeout=0.7, trust_env=False) as http:
            url = f"{drill.topology.provider_direct_url}/psp/intents"
            answer = http.post(url, json=body, headers={"Idempotency-Key": key})
    except httpx.HTTPError as error:
        return type(error).__name__
    return str(answer.json().get("status") if answer.is_success else answer.status_code)


@pytest.mark.parametrize(
    ("respond", "met"),
    [
        ({"mode": "slow", "delay": "5s"}, "ReadTimeout"),
        ({"mode": "timeout_before"}, "ReadTimeout"),
        ({"mode": "reset_mid_response"}, "RemoteProtocolError"),
        ({"mode": "soft_5xx", "status": 502, "effect": True}, "502"),
        ({"mode": "rate_limit", "rate": "0/s"}, "429"),
        ({"mode": "decline", "code": "lost_card", "calls": ["charge"]}, "402"),
    ],
)
def test_the_provider_misbehaves_towards_whoever_charges(
    drill: Drill, respond: dict[str, Any], met: str
) -> None:
    key = f"{respond['mode']} {time.monotonic()}"
    with drill.inflicted("provider", respond=respond):
        assert charged(drill, f"{key} on") == met
    assert charged(drill, f"{key} off") == "succeeded"


def test_only_the_first_calls_are_met_by_a_fault_of_the_first(drill: Drill) -> None:
    key = f"first {time.monotonic()}"
    with drill.inflicted("provider", respond={"mode": "soft_5xx", "first": 2}):
        met = [charged(drill, f"{key} {n}") for n in range(4)]
    assert met == ["503", "503", "succeeded", "succeeded"]


def test_two_misbehaviours_hold_at_once_and_a_restart_forgets_neither(drill: Drill) -> None:
    key = f"both {time.monotonic()}"
    lost = {"mode": "webhook_lost"}
    with drill.inflicted("provider", name="lost", respond=lost):
        with drill.inflicted("provider", name="refused", respond={"mode": "soft_5xx"}):
            assert modes(drill) == ["webhook_lost", "soft_5xx"]
            with drill.inflicted("provider", restart={}):
                pass
            assert modes(drill) == ["webhook_lost", "soft_5xx"]
            assert charged(drill, f"{key} on") == "503"
        assert modes(drill) == ["webhook_lost"]
        assert charged(drill, f"{key} off") == "succeeded"
    assert modes(drill) == ["normal"]


def modes(drill: Drill) -> list[str]:
    url = f"{drill.topology.provider_direct_url}/psp/_sim"
    said = httpx.get(url, trust_env=False).json()
    return [each["mode"] for each in (said if isinstance(said, list) else [said])]


def test_every_mode_begins_and_ends(drill: Drill) -> None:
    for mode in MODES:
        with drill.inflicted("provider", respond={"mode": mode, "share": "30%"}):
            assert modes(drill) == [mode]
    assert modes(drill) == ["normal"]


def test_a_provider_that_cannot_be_told_is_restarted_and_has_forgotten(drill: Drill) -> None:
    provider = drill.topology.components["provider"]
    with drill.inflicted("provider", name="deaf", respond={"mode": "slow"}):
        provider.pause()
    assert modes(drill) == ["normal"]
    assert drill.steps("deaf") == ["escalated"]


def hook(text: str) -> list[str]:
    return [sys.executable, "-I", "-S", "-c", text]


def test_hooks_break_anything_and_mend_it(drill: Drill, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    commands = {
        "begin": hook(f"import os; open({str(broken)!r}, 'w').write(os.environ['DOORBUSTER_ON'])"),
        "end": hook(f"import os; os.unlink({str(broken)!r}); print('mended')"),
        "verify": hook(f"import os, sys; sys.exit(0 if os.path.exists({str(broken)!r}) else 1)"),
    }
    with drill.inflicted("cdn", hooks=commands):
        assert broken.read_text() == "cdn"
        assert drill.hands.pledges == {"cdn hooks": Pledge(tuple(commands["end"]), 10.0)}
    assert not broken.exists()
    assert drill.hands.pledges == {}
    assert "mended" in drill.hands.logs.read_text()


@pytest.mark.parametrize(
    ("commands", "said"),
    [
        ({"begin": hook("import sys; sys.exit(3)")}, "begin of 'cdn hooks' ended with 3"),
        ({"begin": ["/nowhere/at/all"]}, "begin of 'cdn hooks': .*No such file"),
        ({"begin": hook("import time; time.sleep(60)"), "bound": "300ms"}, "within 0.3 s"),
        ({"verify": hook("import sys; sys.exit(7)")}, "verify of 'cdn hooks' ended with 7"),
        ({"verify": hook("import sys; sys.exit(1)")}, "'cdn hooks' is not to be seen"),
    ],
)
def test_a_hook_that_fails_is_no_fault_and_is_ended(
    drill: Drill, tmp_path: Path, commands: dict[str, Any], said: str
) -> None:
    ended = tmp_path / "ended"
    # A begin that failed may have taken effect, so the end is run all the same.
    nothing = {"begin": hook(""), "end": hook(f"open({str(ended)!r}, 'w')")}
    verify = commands.get("verify")
    with (
        pytest.raises(DoorbusterError, match=said),
        drill.inflicted("cdn", hooks={**nothing, **commands}),
    ):
        pytest.fail("the fault was not seen to act")
    assert ended.exists() or verify is None


def test_a_hook_that_does_not_end_it_is_stuck(drill: Drill) -> None:
    commands = {"begin": hook(""), "end": hook("import sys; sys.exit(1)")}
    with (
        pytest.raises(FaultStuck, match=r"by hand: .*sys\.exit"),
        drill.inflicted("cdn", hooks=commands),
    ):
        pass
    assert drill.hands.pledges.pop("cdn hooks"), "the watchdog is to try it once more"


def test_a_fault_may_begin_while_the_shop_recovers_from_another_one(drill: Drill) -> None:
    first = fault("payments", name="first", down={})
    second = fault("edge", name="second", latency={"delay": "100ms"})
    third = fault("redis-server", name="third", pause={})
    with drill.inflict(first):
        third_on = drill.inflict(third)
        third_on.__enter__()
    with drill.inflict(second):
        third_on.__exit__(None, None, None)
        assert answer_s(drill.topology.shop_url) >= 0.1
