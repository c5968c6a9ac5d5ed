"""One node made a standby of the other again, from a fresh copy, through the replication proxy."""

from functools import partial

from chaos.calls import Call
from chaos.hands import Hands
from chaos.postgres.asking import ask, insist, require
from doorbuster.components import DatabaseNode
from doorbuster.faults import Fault

STREAM_BOUND_S = 20.0
STREAMING = "SELECT EXISTS (SELECT FROM pg_stat_replication WHERE state = 'streaming')"


def follow(standby: DatabaseNode, *, of: DatabaseNode, fault: Fault, hands: Hands) -> None:
    """Let `standby` begin anew as a copy of `of`, and wait until it streams."""
    (proxy,) = hands.topology.proxies["replication"]
    call = Call("POST", f"/proxies/{proxy}", {"upstream": of.upstream})
    with hands.called(call, fault=fault.name):
        hands.api.point(proxy, upstream=of.upstream)
    with hands.called(Call("pg_basebackup", standby.component.name), fault=fault.name):
        standby.files.follow()
    hands.given_up.discard(standby.component.name)
    hands.step("copied", fault=fault.name, node=standby.component.name)
    insist(partial(require_streaming, of), what="replication", bound_s=STREAM_BOUND_S)
    hands.step("following", fault=fault.name, node=standby.component.name)


def require_streaming(primary: DatabaseNode) -> None:
    require(ask(primary.direct_dsn, STREAMING) is True, "the standby does not stream")


def wait_for(standby: DatabaseNode, *, on: DatabaseNode, hands: Hands) -> None:
    """Let commits on a primary wait for its standby, if they do in this run."""
    if hands.topology.synchronous:
        name = standby.component.name
        ask(on.direct_dsn, f"ALTER SYSTEM SET synchronous_standby_names = '\"{name}\"'")
        ask(on.direct_dsn, "SELECT pg_reload_conf()")
