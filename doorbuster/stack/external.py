"""The external stack: a shop that runs elsewhere. Nothing is started, but the way to it made sure.

Its name is resolved once, and everybody connects to what came out. Only where a plan has faults is
there a proxy in between, which is ours and on this machine.
"""

import re
import socket
import ssl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from ipaddress import ip_address
from typing import Final

import httpx

from doorbuster.components import Topology
from doorbuster.errors import MissingPrerequisite, TargetNotReady
from doorbuster.plan.target import Marker, Target
from doorbuster.stack.order import StackOrder
from doorbuster.stack.place import temporary_place
from doorbuster.stack.ports import LOOPBACK, free_ports, raise_file_limit
from doorbuster.stack.process import Place
from doorbuster.stack.proxies import OwnProxy, ProxyApi, SharedProxy, proxy_name
from doorbuster.stack.proxy_process import proxy_process

EDGE: Final = "edge"
MARKER_TIMEOUT_S: Final = 10.0


@contextmanager
def external(
    order: StackOrder,
    target: Target,
    proxy: OwnProxy | SharedProxy | None,
    *,
    trust: ssl.SSLContext,
) -> Iterator[Topology]:
    """Find the target, see that it is no production, and yield the way to it.

    With a `proxy` its shoppers' connections cross that. `trust` says whose certificates to take.
    """
    raise_file_limit()
    address = resolved(target)
    require_marker(target, address, trust)
    with temporary_place(order.run_id, logs=order.logs) as place, ExitStack() as exits:
        if proxy is None:
            yield topology(target, order.run_id, address)
        else:
            straight = topology(target, order.run_id, address)
            yield _through(proxy, order, straight, place, exits)


def resolved(target: Target) -> str:
    """Return the address of the target, `IP:PORT`, which is asked for once and never again."""
    try:
        found = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise MissingPrerequisite(f"target {target.base_url}: {error}") from error
    # The two families are tried in the system's order; the first one that listens is it.
    for family, kind, protocol, _, where in found:
        with socket.socket(family, kind, protocol) as probe:
            probe.settimeout(MARKER_TIMEOUT_S)
            if probe.connect_ex(where) == 0:
                return joined(str(where[0]), target.port)
    raise TargetNotReady(f"target {target.base_url}: nobody listens at {found[0][4][0]}")


def joined(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def require_marker(target: Target, address: str, trust: ssl.SSLContext) -> None:
    """Insist on what production would not answer, unless the target is this machine."""
    host = address.rpartition(":")[0].strip("[]")
    if target.marker is None:
        if ip_address(host).is_loopback:
            return
        raise TargetNotReady(f"target {target.host} is at {host}, not on this machine: no `marker`")
    found = _ask(target, target.marker, address, trust)
    if not re.search(target.marker.matches, found):
        place = f"header {target.marker.header}" if target.marker.header else "text"
        raise TargetNotReady(
            f"target {target.base_url}{target.marker.path}: the {place} is {found[:200]!r}, "
            f"expected the marker {target.marker.matches!r}; is this production?"
        )


def _ask(target: Target, marker: Marker, address: str, trust: ssl.SSLContext) -> str:
    url = f"{target.url.scheme}://{address}{marker.path}"
    try:
        with httpx.Client(timeout=MARKER_TIMEOUT_S, trust_env=False, verify=trust) as client:
            answer = client.get(
                url,
                headers={"Host": target.url.netloc},
                extensions={"sni_hostname": target.host},
            )
    except httpx.HTTPError as error:
        raise TargetNotReady(f"target {target.base_url}{marker.path}: {error!r}") from error
    return answer.text if marker.header is None else answer.headers.get(marker.header, "")


def _through(
    proxy: OwnProxy | SharedProxy,
    order: StackOrder,
    straight: Topology,
    place: Place,
    exits: ExitStack,
) -> Topology:
    """Put a proxy of this run between its shoppers and the target."""
    api_port, edge_port = free_ports(2)
    api_url = proxy.url if isinstance(proxy, SharedProxy) else f"http://{LOOPBACK}:{api_port}"
    components = {}
    if isinstance(proxy, OwnProxy):
        process = proxy_process(proxy, place, port=api_port)
        exits.callback(process.kill)
        process.start()
        process.wait_ready()
        components["proxy"] = process
    api: ProxyApi = order.open_api(api_url)
    exits.callback(api.close)
    assert straight.via is not None, "it was resolved"
    name, via = proxy_name(order.run_id, EDGE), f"{order.edge_host}:{edge_port}"
    api.create(name, listen=via, upstream=straight.via)
    if isinstance(proxy, SharedProxy):
        exits.callback(api.delete, name)
    return replace(
        straight, components=components, proxies={EDGE: [name]}, proxy_api=api_url, via=via
    )


def topology(target: Target, run_id: str, via: str) -> Topology:
    """Return the little that is known of a shop elsewhere; `via` is where to connect to."""
    return Topology(
        run_id=run_id,
        components={},
        database=(),
        proxies={},
        proxy_api="",
        shop_url=target.base_url,
        shop_direct_url=target.base_url,
        provider_direct_url="",
        ops_token="",
        via=via,
    )
