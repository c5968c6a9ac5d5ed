"""Looks at the system under test from outside, to see whether a fault acts or has gone."""

import socket

import httpx
import psutil

from doorbuster.components import Component
from doorbuster.errors import DoorbusterError, said_by

ANSWER_BOUND_S = 5.0
CONNECT_BOUND_S = 1.0


def proxy_listens(api_url: str, proxy: str) -> bool:
    """Say whether a proxy takes connections, which its API's word alone does not show."""
    url = f"{api_url.rstrip('/')}/proxies/{proxy}"
    try:
        with httpx.Client(timeout=ANSWER_BOUND_S, trust_env=False) as http:
            answer = http.get(url).raise_for_status()
    except httpx.HTTPError as error:
        raise DoorbusterError(f"GET {url}: {said_by(error)}") from error
    try:
        address = str(answer.json()["listen"])
    except (ValueError, LookupError, TypeError):
        raise DoorbusterError(f"GET {url}: no Toxiproxy answers {answer.text[:80]!r}") from None
    return accepts_connections(address)


def accepts_connections(address: str) -> bool:
    """Say whether somebody listens at `host:port`."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), CONNECT_BOUND_S).close()
    except OSError:
        return False
    return True


def is_ended(component: Component) -> bool:
    return not component.pids()


def is_stopped(component: Component) -> bool:
    """Say whether it has processes and every one of them is stopped."""
    pids = component.pids()
    return bool(pids) and all(is_in_stop(pid) for pid in pids)


def is_going(component: Component) -> bool:
    """Say whether none of its processes is stopped."""
    return not any(is_in_stop(pid) for pid in component.pids())


def is_in_stop(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_STOPPED)
    except psutil.NoSuchProcess:
        return False
