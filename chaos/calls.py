"""What a fault of the network is in calls to the proxy's API: pure, nothing is sent from here."""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, assert_never

from doorbuster.faults import Down, Fault, Latency, ResetPeer, Timeout

NetworkKind = Latency | Timeout | ResetPeer | Down
Stream = Literal["upstream", "downstream"]


@dataclass(frozen=True)
class Call:
    """One request; printed, it is what `--dry-run` shows and what the journal says."""

    method: str
    path: str
    body: Mapping[str, object] | None = None

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
    # All our toxics stand in the way of the answers, Toxiproxy's default and the harder truth:
    # - latency: one delay on each round trip is what `delay: 2s` says; both ways would be 4 s. On
    #   `replication`, where the standby is the client, it is the way that the log travels.
    # - timeout and reset_peer: the request arrives and takes effect, and only the answer is lost,
    #   so nobody on this side can know. Upstream the request itself would be thrown away, and a
    #   shop that charges twice for an answer it never saw would look fine.
    stream: Stream = "downstream"


@dataclass(frozen=True)
class Breakage:
    """What a fault does to one proxy: a toxic on it, or, without a toxic, the proxy shut."""

    proxy: str
    toxic: Toxic | None

    @property
    def begin(self) -> Call:
        if self.toxic is None:
            return switch_call(self.proxy, enabled=False)
        body = {
            "name": self.toxic.name,
            "type": self.toxic.type,
            "stream": self.toxic.stream,
            "toxicity": 1.0,
            "attributes": dict(self.toxic.attributes),
        }
        return Call("POST", f"/proxies/{self.proxy}/toxics", body)

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
    toxic = toxic_for(name, kind)
    return tuple(Breakage(proxy, toxic) for proxy in proxies)


def toxic_for(name: str, kind: NetworkKind) -> Toxic | None:
    match kind:
        case Latency(delay=delay_s, jitter=jitter_s):
            attributes = {"latency": milliseconds(delay_s), "jitter": milliseconds(jitter_s)}
            return Toxic(toxic_name(name), "latency", attributes)
        case Timeout(after=after_s):
            return Toxic(toxic_name(name), "timeout", {"timeout": milliseconds(after_s)})
        case ResetPeer(after=after_s):
            return Toxic(toxic_name(name), "reset_peer", {"timeout": milliseconds(after_s)})
        case Down():
            return None
        case _:
            assert_never(kind)


def toxic_name(fault_name: str) -> str:
    """Return the fault's name as the API's paths take it, different for different faults.

    The digits keep apart what the slug throws together ("a b" and "a-b", or all of Greek).
    """
    slug = re.sub(r"[^a-z0-9]+", "-", fault_name.lower()).strip("-")
    digits = hashlib.sha256(fault_name.encode()).hexdigest()[:6]
    return f"{slug}-{digits}".lstrip("-")


def milliseconds(seconds: float) -> int:
    return round(seconds * 1000)


def proxy_names(fault: Fault, run_id: str) -> list[str]:
    """Return the names that the proxies of the fault's connection have or will have in a run."""
    connections = ("postgres-a", "postgres-b") if fault.on == "postgres" else (fault.on,)
    return [f"doorbuster-{run_id}-{connection}" for connection in connections]
