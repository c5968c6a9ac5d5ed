"""What a fault of the network is in calls to the proxy's API: pure, nothing is sent from here."""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, assert_never

from chaos.toxiproxy import ToxicMembers
from doorbuster.faults import (
    TOUCHED_BY,
    Bandwidth,
    Blackhole,
    Down,
    Fault,
    Flap,
    Latency,
    LimitData,
    NetworkKind,
    Partition,
    ResetPeer,
    Slicer,
    SlowClose,
    Timeout,
)

ToxicKind = Latency | Bandwidth | Timeout | ResetPeer | SlowClose | Slicer | LimitData
Stream = Literal["upstream", "downstream"]


@dataclass(frozen=True)
class Call:
    """One request; printed, it is what `--dry-run` shows and what the journal says."""

    method: str
    path: str
    body: Mapping[str, object] | Sequence[Mapping[str, object]] | None = None

    @property
    def line(self) -> str:
        return f"{self.method} {self.path}"

    def __str__(self) -> str:
        return self.line if self.body is None else f"{self.line} {json.dumps(self.body)}"

    def by_hand(self, base_url: str) -> str:
        """Return the shell command that makes this call, for people who have to."""
        body = "" if self.body is None else f" -d '{json.dumps(self.body)}'"
        return f"curl -X {self.method}{body} {base_url.rstrip('/')}{self.path}"


@dataclass(frozen=True)
class Toxic:
    """A toxic as the API takes it."""

    name: str
    type: str
    attributes: Mapping[str, int]
    # Unless the plan says otherwise they stand in the way of the answers, the harder truth:
    # - latency: one delay on each round trip is what `delay: 2s` says; both ways would be 4 s. On
    #   `replication`, where the standby is the client, it is the way that the log travels.
    # - timeout and reset_peer: the request arrives and takes effect, and only the answer is lost,
    #   so nobody on this side can know. Upstream the request itself would be thrown away, and a
    #   shop that charges twice for an answer it never saw would look fine.
    stream: Stream = "downstream"
    toxicity: float = 1.0

    @property
    def members(self) -> ToxicMembers:
        """The toxic in the API's words."""
        return {
            "name": self.name,
            "type": self.type,
            "stream": self.stream,
            "toxicity": self.toxicity,
            "attributes": dict(self.attributes),
        }


@dataclass(frozen=True)
class Breakage:
    """What a fault does to one proxy: a toxic on it, or, without a toxic, the proxy shut."""

    proxy: str
    toxic: Toxic | None

    @property
    def begin(self) -> Call:
        if self.toxic is None:
            return switch_call(self.proxy, enabled=False)
        return Call("POST", f"/proxies/{self.proxy}/toxics", {**self.toxic.members})

    @property
    def end(self) -> Call:
        if self.toxic is None:
            return switch_call(self.proxy, enabled=True)
        return Call("DELETE", f"/proxies/{self.proxy}/toxics/{self.toxic.name}")


def switch_call(proxy: str, *, enabled: bool) -> Call:
    # Servers before 2.6 do not know PATCH; for them the client takes POST, which means the same.
    return Call("PATCH", f"/proxies/{proxy}", {"enabled": enabled})


def calls_for(name: str, kind: NetworkKind, proxies: Sequence[str]) -> tuple[Breakage, ...]:
    """Return what fault `name` does to each of `proxies`, in order."""
    toxics: Sequence[Toxic | None] = (None,)
    if not isinstance(kind, Down | Flap):
        toxics = toxics_for(toxic_name(name), kind)
    return tuple(Breakage(proxy, toxic) for proxy in proxies for toxic in toxics)


def toxics_for(name: str, kind: ToxicKind | Blackhole | Partition) -> tuple[Toxic, ...]:
    """Return the toxics of a fault on each of its proxies; the first one has its name."""
    if isinstance(kind, Blackhole | Partition):
        # Never closing: whoever waits for an answer learns nothing, not even that there is none.
        swallow = {"timeout": 0}
        return (
            Toxic(name, "timeout", swallow),
            Toxic(f"{name}-up", "timeout", swallow, "upstream"),
        )
    type_, attributes = toxic_of(kind)
    return (Toxic(name, type_, attributes, kind.stream, kind.share),)


def toxic_of(kind: ToxicKind) -> tuple[str, dict[str, int]]:
    """Return Toxiproxy's word for a kind and its attributes."""
    match kind:
        case Latency(delay=delay_s, jitter=jitter_s):
            type_, attributes = (
                "latency",
                {"latency": milliseconds(delay_s), "jitter": milliseconds(jitter_s)},
            )
        case Bandwidth(rate=kilobytes_per_s):
            type_, attributes = "bandwidth", {"rate": kilobytes_per_s}
        case Timeout(after=after_s):
            type_, attributes = "timeout", {"timeout": milliseconds(after_s)}
        case ResetPeer(after=after_s):
            type_, attributes = "reset_peer", {"timeout": milliseconds(after_s)}
        case SlowClose(delay=delay_s):
            type_, attributes = "slow_close", {"delay": milliseconds(delay_s)}
        case Slicer(size=size, variation=variation, delay=delay_s):
            type_, attributes = (
                "slicer",
                {
                    "average_size": size,
                    "size_variation": variation,
                    "delay": round(delay_s * 1_000_000),  # in microseconds, unlike all others
                },
            )
        case LimitData(bytes=bytes_):
            type_, attributes = "limit_data", {"bytes": bytes_}
        case _:
            assert_never(kind)
    return type_, attributes


def toxic_name(fault_name: str) -> str:
    """Return the fault's name as the API's paths take it, different for different faults.

    The digits keep apart what the slug throws together ("a b" and "a-b", or all of Greek).
    """
    slug = re.sub(r"[^a-z0-9]+", "-", fault_name.lower()).strip("-")
    digits = hashlib.sha256(fault_name.encode()).hexdigest()[:6]
    return f"{slug}-{digits}".lstrip("-")


def milliseconds(seconds: float) -> int:
    return round(seconds * 1000)


def connections_of(fault: Fault) -> tuple[str, ...]:
    """Return the connections that a fault of the network is on, as their proxies are called."""
    if fault.partition is not None:
        return TOUCHED_BY[fault.on]
    return ("postgres-a", "postgres-b") if fault.on == "postgres" else (fault.on,)


def proxy_names(fault: Fault, run_id: str) -> list[str]:
    """Return the names that the proxies of the fault's connections have or will have in a run."""
    return [f"doorbuster-{run_id}-{connection}" for connection in connections_of(fault)]
