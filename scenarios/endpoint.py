"""Where the shop answers: checked against the allow-list, resolved once, then never again."""

import socket
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from doorbuster.errors import MissingPrerequisite, PlanError


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A pinned address, and the name that requests carry in their Host header."""

    family: int
    address: tuple[Any, ...]
    host_header: str


def pin(base_url: str, allow_hosts: Collection[str], *, via: str | None = None) -> Endpoint:
    """Return the address of `base_url`, refusing every host that is not on the allow-list.

    With `via`, `IP:PORT`, that is the address: the name was resolved before, or there is a proxy.
    """
    url = urlsplit(base_url)
    if url.scheme != "http" or not url.hostname or url.path.strip("/"):
        raise PlanError(f"base URL {base_url!r}: expected http://HOST:PORT")
    if url.hostname not in allow_hosts:
        allowed = ", ".join(sorted(allow_hosts)) or "none"
        raise PlanError(f"host {url.hostname!r} is not on the allow-list: allowed are {allowed}")
    host, port = url.hostname, url.port or 80
    if via is not None:
        address, _, port_text = via.rpartition(":")
        host, port = address.strip("[]"), int(port_text)
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        raise MissingPrerequisite(f"host {url.hostname!r}: {error.strerror}") from error
    family, _, _, _, where = found[0]
    return Endpoint(family, where, url.netloc)
