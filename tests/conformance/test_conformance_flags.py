"""What the flags of the server do: proxies to begin with, and metrics."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.conformance.comparing import Case, Look, Pair, judge, look_at
from tests.proxy_servers import PATIENCE_S, ProxyServer, line, receive, running
from tests.waiting import eventually

pytestmark = pytest.mark.integration

SHOP = {"name": "shop", "upstream": "127.0.0.1:9", "listen": "127.0.0.1:0"}


@pytest.fixture(scope="module")
def measured() -> Iterator[Pair]:
    flags = ("-proxy-metrics", "-runtime-metrics")
    with running("toxiproxy", *flags) as toxiproxy, running("embedded", *flags) as embedded:
        yield Pair(embedded, toxiproxy)


def samples(server: ProxyServer, prefix: str = "toxiproxy_") -> dict[Any, float]:
    """Return the values of a server's metrics by name and labels, without its ports."""
    families = text_string_to_metric_families(server.call("GET", "/metrics").body)
    return {
        (sample.name, sample.labels["direction"], sample.labels["proxy"]): sample.value
        for family in families
        for sample in family.samples
        if sample.name.startswith(prefix)
    }


def metrics_of_bytes(server: ProxyServer, look: Look) -> None:
    with line(server, "counted") as shop:
        upstream = shop.upstream.address
        client, behind = shop.connect()
        client.sendall(b"ping")
        receive(behind, 4)
        behind.sendall(b"pong pong")
        receive(client, 9)
        look("nothing while it is open", samples(server))
        client.close()
        look("all four", eventually(lambda: len(samples(server)) == 4))
        look("ended", samples(server))
        shop.add("timeout", timeout=0)
        client, behind = shop.connect()
        client.sendall(b"lost")
        receive(behind, 4)
        behind.sendall(b"lost as well")
        shop.remove("timeout_downstream")
        look("dropped bytes are received, not sent", eventually(lambda: all_ended(server)))
        look("dropped", samples(server))
    text = server.call("GET", "/metrics").body.replace(f"{shop.address[1]}", "PORT")
    lines = [row for row in text.splitlines() if "toxiproxy_proxy_received" in row]
    look("lines", [row.replace(upstream, "UPSTREAM").removesuffix(".0") for row in lines])


def all_ended(server: ProxyServer) -> bool:
    found = samples(server)
    return found.get(("toxiproxy_proxy_received_bytes_total", "downstream", "counted"), 0) == 21


def metrics_answers(server: ProxyServer, look: Look) -> None:
    for method in ("GET", "POST", "PUT", "HEAD"):
        reply = server.call(method, "/metrics")
        look(f"{method}", (reply.status, reply.headers["Content-Type"]))
    look("for browsers", server.call("GET", "/metrics", agent="Mozilla/5.0").status)
    reply = server.call("GET", "/metrics")
    look("identified", "X-Toxiproxy-Request-Id" in reply.headers)
    look("process", "process_resident_memory_bytes " in reply.body)
    look("language", "go_info{" in reply.body)


CASES: tuple[Case, ...] = (metrics_of_bytes, metrics_answers)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_metrics_are_the_same(measured: Pair, table: list[str], case: Case) -> None:
    judge(case.__name__, measured.differences(case), table)


def configs(folder: Path, taken: int) -> dict[str, Path | str]:
    """Return what a server may be started with, by label."""
    bodies: dict[str, Any] = {
        "two": [SHOP, {**SHOP, "name": "off", "enabled": False}],
        "nameless second": [SHOP, {"upstream": "127.0.0.1:9"}],
        "taken second": [
            SHOP,
            {**SHOP, "name": "taken", "listen": f"127.0.0.1:{taken}"},
            {**SHOP, "name": "after"},
        ],
        "an object": {"shop": SHOP},
    }
    for label, body in bodies.items():
        (folder / label).write_text(json.dumps(body), encoding="utf-8")
    return {label: str(folder / label) for label in (*bodies, "absent")}


def test_config_makes_the_same_proxies(table: list[str], tmp_path: Path) -> None:
    """What is wrong with a file is no reason not to start."""
    with socket.create_server(("127.0.0.1", 0)) as holder:
        holder.settimeout(PATIENCE_S)
        for label, path in configs(tmp_path, holder.getsockname()[1]).items():
            seen = []
            for kind in ("toxiproxy", "embedded"):
                with running(kind, "-config", path) as server:
                    seen.append(look_at(server, made_by_config).seen)
            theirs, ours = seen
            different = {
                label: (ours[label], theirs[label])
                for label in ours
                if ours[label] != theirs[label]
            }
            judge("made_by_config", different, table)
            assert (label == "two") == ("off" in str(ours)), label


def made_by_config(server: ProxyServer, look: Look) -> None:
    look.reply("proxies", server.call("GET", "/proxies"))
