"""Random calls of the API, the same ones to both servers; the test's id has the seed."""

from random import Random
from typing import Any

import pytest

from tests.conformance.comparing import Look, Pair, judge
from tests.proxy_servers import ProxyServer

pytestmark = pytest.mark.integration

CALLS = 120
NAMES = ("a", "b", "c")
TYPES = ("latency", "bandwidth", "slow_close", "timeout", "reset_peer", "limit_data", "noop", "x")
ATTRIBUTES = ("latency", "jitter", "rate", "delay", "timeout", "bytes", "bogus")


def some_proxy(random: Random) -> dict[str, Any]:
    enabled = random.choice((True, True, False, None))
    # One that cannot start stops a reset, of the others' in an order that Go leaves to chance.
    listens = ("127.0.0.1:0", "localhost:0", *(["nonsense"] if enabled else []))
    members = {
        "name": random.choice((*NAMES, "")),
        "upstream": random.choice(("127.0.0.1:9", "127.0.0.1:10", "")),
        "listen": random.choice(listens),
    }
    kept = {key: value for key, value in members.items() if random.random() < 0.85}
    return {**kept, "enabled": enabled}


def some_toxic(random: Random) -> dict[str, Any]:
    members = {
        "name": random.choice(("t", "u", "")),
        "type": random.choice(TYPES),
        "stream": random.choice(("upstream", "downstream", "Upstream", "sideways")),
        "toxicity": random.choice((0, 0.5, 1, "x")),
        "attributes": {random.choice(ATTRIBUTES): random.choice((0, 7, 1.5, "x"))},
    }
    return {key: value for key, value in members.items() if random.random() < 0.7}


def some_call(random: Random) -> tuple[str, str, Any]:
    proxy = f"/proxies/{random.choice(NAMES)}"
    toxic = random.choice(("t", "u", "latency_downstream", "timeout_upstream"))
    return random.choice(
        (
            ("POST", "/proxies", some_proxy(random)),
            ("POST", "/proxies", some_proxy(random)),
            ("POST", "/populate", [some_proxy(random) for _ in range(random.randrange(4))]),
            (random.choice(("PATCH", "POST")), proxy, some_proxy(random)),
            (random.choice(("PATCH", "POST")), proxy, {"enabled": random.random() < 0.5}),
            ("GET", proxy, None),
            ("DELETE", proxy, None),
            ("POST", f"{proxy}/toxics", some_toxic(random)),
            ("POST", f"{proxy}/toxics", some_toxic(random)),
            ("POST", f"{proxy}/toxics", some_toxic(random)),
            ("PATCH", f"{proxy}/toxics/{toxic}", some_toxic(random)),
            ("GET", f"{proxy}/toxics/{toxic}", None),
            ("DELETE", f"{proxy}/toxics/{toxic}", None),
            ("POST", "/reset" if random.random() < 0.3 else "/version", None),
            (random.choice(("GET", "PUT", "HEAD")), random.choice((proxy, "/", "/proxies")), None),
        )
    )


@pytest.mark.parametrize("seed", range(12))
def test_random_calls_are_answered_the_same(pair: Pair, table: list[str], seed: int) -> None:
    def random_calls(server: ProxyServer, look: Look) -> None:
        random = Random(seed)
        for number in range(CALLS):
            method, path, body = some_call(random)
            look.reply(f"{number} {method} {path}", server.call(method, path, body))
            look.reply(f"{number} then", server.call("GET", "/proxies"))

    differences = pair.differences(random_calls)
    if "address already in use" in str(differences):
        # Somebody on this machine took the port of a proxy that was disabled: not a difference.
        differences = pair.differences(random_calls)
    judge("random_calls", differences, table)
