"""The calls that begin and end each fault of the network."""

from typing import Any

import pytest

from chaos.calls import Call, NetworkKind, calls_for, proxy_names, toxic_name
from doorbuster.faults import (
    Bandwidth,
    Blackhole,
    Down,
    Latency,
    LimitData,
    ResetPeer,
    Slicer,
    SlowClose,
    Timeout,
)
from tests.chaos_fakes import fault

TOXIC = toxic_name("slow pay")


def toxic_body(type_: str, attributes: dict[str, int]) -> dict[str, Any]:
    return {
        "name": TOXIC,
        "type": type_,
        "stream": "downstream",
        "toxicity": 1.0,
        "attributes": attributes,
    }


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (
            Latency(delay="2s", jitter="500ms"),
            toxic_body("latency", {"latency": 2000, "jitter": 500}),
        ),
        (Latency(delay="10ms"), toxic_body("latency", {"latency": 10, "jitter": 0})),
        (Timeout(), toxic_body("timeout", {"timeout": 0})),
        (Timeout(after="1.5s"), toxic_body("timeout", {"timeout": 1500})),
        (ResetPeer(after="100ms"), toxic_body("reset_peer", {"timeout": 100})),
        (Bandwidth(rate="64KB/s"), toxic_body("bandwidth", {"rate": 64})),
        (SlowClose(delay="2s"), toxic_body("slow_close", {"delay": 2000})),
        (LimitData(bytes="2KB"), toxic_body("limit_data", {"bytes": 2000})),
        (
            Slicer(size="100B", variation="50B", delay="2ms"),
            toxic_body("slicer", {"average_size": 100, "size_variation": 50, "delay": 2000}),
        ),
        (
            Latency(delay="1s", stream="upstream", share="25%"),
            toxic_body("latency", {"latency": 1000, "jitter": 0})
            | {"stream": "upstream", "toxicity": 0.25},
        ),
    ],
)
def test_a_toxic_is_added_and_deleted_by_name(kind: NetworkKind, body: dict[str, Any]) -> None:
    (breakage,) = calls_for("slow pay", kind, ["p"])
    assert breakage.begin == Call("POST", "/proxies/p/toxics", body)
    assert breakage.end == Call("DELETE", f"/proxies/p/toxics/{TOXIC}")


def test_down_shuts_the_proxy_and_opens_it() -> None:
    (breakage,) = calls_for("dark", Down(), ["p"])
    assert breakage.begin == Call("PATCH", "/proxies/p", {"enabled": False})
    assert breakage.end == Call("PATCH", "/proxies/p", {"enabled": True})


def test_a_blackhole_swallows_both_ways() -> None:
    down, up = calls_for("slow pay", Blackhole(), ["p"])
    assert [each.toxic.stream for each in (down, up) if each.toxic] == ["downstream", "upstream"]
    assert [each.toxic.attributes for each in (down, up) if each.toxic] == [{"timeout": 0}] * 2
    assert down.end != up.end


@pytest.mark.parametrize(
    ("on", "cut"),
    [
        ("provider", ["payments", "webhooks"]),
        ("postgres-b", ["postgres-b", "replication"]),
        ("redis-server", ["redis"]),
        (
            "storefront",
            ["edge", "payments", "webhooks", "redis", "postgres-a", "postgres-b"],
        ),
    ],
)
def test_a_partition_cuts_every_connection_of_a_component(on: str, cut: list[str]) -> None:
    assert proxy_names(fault(on, partition={}), "r") == [f"doorbuster-r-{name}" for name in cut]


def test_every_proxy_of_a_connection_is_broken() -> None:
    broken = calls_for("slow", Latency(delay="1s"), ["a", "b"])
    assert [breakage.proxy for breakage in broken] == ["a", "b"]


@pytest.mark.parametrize(("one", "other"), [("a b", "a-b"), ("αβ", "γδ"), ("A", "a")])
def test_toxics_of_two_faults_never_share_a_name(one: str, other: str) -> None:
    assert toxic_name(one) != toxic_name(other)


def test_the_name_of_a_toxic_needs_no_quoting_in_a_path() -> None:
    assert toxic_name("payments: 2s / slow?").startswith("payments-2s-slow-")


def test_a_fault_on_postgres_breaks_both_nodes() -> None:
    assert proxy_names(fault("postgres", down={}), "r") == [
        "doorbuster-r-postgres-a",
        "doorbuster-r-postgres-b",
    ]
    assert proxy_names(fault("edge", down={}), "r") == ["doorbuster-r-edge"]


def test_a_call_reads_as_people_would_make_it() -> None:
    call = Call("PATCH", "/proxies/p", {"enabled": True})
    assert str(call) == 'PATCH /proxies/p {"enabled": true}'
    assert (
        call.by_hand("http://h:1/")
        == """curl -X PATCH -d '{"enabled": true}' http://h:1/proxies/p"""
    )
