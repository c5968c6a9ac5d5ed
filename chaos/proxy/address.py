"""Addresses: read, resolved and bound as Go's `net` does, with its error texts."""

import asyncio
import errno
import os
import re
import socket
from dataclasses import dataclass
from ipaddress import ip_address

from chaos.proxy.errors import ApiError

BACKLOG = 4096
"""With asyncio's default of 100, a crowd that connects at once waits a second for its retries."""


@dataclass(frozen=True)
class Address:
    """A resolved IP address and port; an empty host is every interface."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def _split(text: str) -> tuple[str, str]:
    """Return host and port of `host:port` or `[host]:port`."""
    host, colon, port = text.rpartition(":")
    if not colon or port.endswith("]"):
        raise ApiError(500, f"address {text}: missing port in address")
    if host.startswith("[") and host.endswith("]"):
        return host[1:-1], port
    if host.startswith("["):
        raise ApiError(500, f"address {text}: missing ']' in address")
    if ":" in host:
        raise ApiError(500, f"address {text}: too many colons in address")
    return host, port


async def resolve(text: str) -> Address:
    """Resolve `host:port`; a name that has an IPv4 address means that one."""
    host, port_text = _split(text or ":0")
    port = _port(port_text)
    if not host or _is_ip(host):
        return Address(host, port)
    try:
        found = await asyncio.get_running_loop().getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except (socket.gaierror, UnicodeError):
        raise ApiError(500, f"lookup {host}: no such host") from None
    first = min(found, key=lambda entry: entry[0] != socket.AF_INET)
    return Address(str(first[4][0]), port)


def bind(address: Address) -> socket.socket:
    """Return a socket that listens on `address`, on IPv4 and IPv6 at once for a wildcard."""
    dual_stack = _is_wildcard(address.host) and socket.has_dualstack_ipv6()
    host = "::" if dual_stack else address.host or "0.0.0.0"
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        listener.setblocking(False)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if dual_stack:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listener.bind((host, address.port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        reason = os.strerror(error.errno or errno.EIO).lower()
        raise ApiError(500, f"listen tcp {address}: bind: {reason}") from None
    return listener


def bound(listener: socket.socket) -> str:
    """Return the address a socket really listens on, such as `[::]:39003`."""
    host, port = listener.getsockname()[:2]
    return str(Address(host, port))


def _port(text: str) -> int:
    if re.fullmatch(r"([+-]?[0-9]+)?", text):
        number = int(text or "0")
        if 0 <= number <= 65535:
            return number
        raise ApiError(500, f"address {text}: invalid port")
    try:
        return socket.getservbyname(text, "tcp")
    except (OSError, UnicodeError):
        raise ApiError(500, f"lookup tcp/{text}: unknown port") from None


def _is_ip(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _is_wildcard(host: str) -> bool:
    return host in {"", "0.0.0.0", "::"}
