"""Where the shop answers: checked against the allow-list, resolved once, then never again."""

import socket
import ssl
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit

from doorbuster.errors import MissingPrerequisite, PlanError
from doorbuster.trust import trusting

_PORTS: Final = {"http": 80, "https": 443}
_ADDRESSES_AT_MOST: Final = 4


@dataclass(frozen=True, slots=True, eq=False)
class Endpoint:
    """Pinned addresses of a host, tried in order, and what requests and certificates call it.

    `tls` is None for plain HTTP. There is one of each, so that comparing costs nothing.
    """

    addresses: tuple[tuple[int, tuple[Any, ...]], ...]
    host_header: str
    hostname: str
    tls: ssl.SSLContext | None = None


class Hosts:
    """The only hosts that may be contacted, all resolved before the first is.

    A lookup during a run could keep a shopper waiting beyond every deadline, or lead elsewhere.

    Args:
        allowed: The allow-list, by name or address.
        ca_file: Certificates to trust instead of the system's (or those in SSL_CERT_FILE).
        via: `IP:PORT` to connect to instead of any resolved name: it was resolved before, or a
            proxy is there.
    """

    def __init__(
        self, allowed: Collection[str], *, ca_file: str | None = None, via: str | None = None
    ) -> None:
        self._via = via
        self._allowed = frozenset(name.lower() for name in allowed)
        self._ca_file = ca_file
        self._tls: ssl.SSLContext | None = None
        self._pinned: dict[tuple[str, str, int], Endpoint] = {}
        self._found: dict[str, list[tuple[int, tuple[Any, ...]]]] = {}
        self._not_found: dict[str, str] = {}
        if ca_file is not None:
            self._context()  # now, since a redirect may want it when the file is gone

    def pin(self, base_url: str) -> Endpoint:
        """Return where `base_url` is, refusing every host that is not on the allow-list."""
        url = urlsplit(base_url)
        if url.scheme not in _PORTS or not url.hostname or url.path.strip("/"):
            raise PlanError(f"base URL {base_url!r}: expected http://HOST:PORT or https://HOST")
        for hostname in sorted(self._allowed):
            self._resolve(hostname)
        try:
            return self._behind(url, self._via) if self._via else self.endpoint(url)
        except ValueError as error:
            raise PlanError(f"base URL {base_url!r}: {error}") from error

    def _behind(self, url: SplitResult, via: str) -> Endpoint:
        """Return the shop's endpoint at the address to connect to, for redirects to it as well."""
        host, _, port = via.rpartition(":")
        ip = host.strip("[]")
        self._resolve(ip)
        named = self._resolved(url, url.scheme, ip, int(port))
        endpoint = replace(named, hostname=(url.hostname or "").lower())
        self._pinned[self._key(url)] = endpoint
        return self.endpoint(url)

    @staticmethod
    def _key(url: SplitResult) -> tuple[str, str, int]:
        return url.scheme, (url.hostname or "").lower(), url.port or _PORTS[url.scheme]

    def endpoint(self, url: SplitResult) -> Endpoint:
        """Return where an absolute `url` leads.

        Raises:
            PlanError: The host is not on the allow-list.
            MissingPrerequisite: The host has no address.
        """
        hostname = (url.hostname or "").lower()
        if hostname not in self._allowed:
            allowed = ", ".join(sorted(self._allowed)) or "none"
            raise PlanError(f"host {hostname!r} is not on the allow-list: allowed are {allowed}")
        key = self._key(url)
        if key not in self._pinned:
            self._pinned[key] = self._resolved(url, *key)
        return self._pinned[key]

    def _resolve(self, hostname: str) -> None:
        if hostname in self._found:
            return
        try:
            found = socket.getaddrinfo(hostname, None, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            self._not_found[hostname] = str(error)
        else:
            self._found[hostname] = [(family, address) for family, _, _, _, address in found]

    def _resolved(self, url: SplitResult, scheme: str, hostname: str, port: int) -> Endpoint:
        if hostname not in self._found:
            raise MissingPrerequisite(f"host {hostname!r}: {self._not_found[hostname]}")
        addresses = tuple(
            (family, (address, port, *rest))
            for family, (address, _, *rest) in self._found[hostname][:_ADDRESSES_AT_MOST]
        )
        tls = self._context() if scheme == "https" else None
        return Endpoint(addresses, url.netloc.rpartition("@")[2], hostname, tls)

    def _context(self) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = trusting(self._ca_file)
            self._tls.set_alpn_protocols(["http/1.1"])
        return self._tls


def pin(base_url: str, allow_hosts: Collection[str]) -> Endpoint:
    """Return where `base_url` is, as `Hosts.pin` does, for a single host."""
    return Hosts(allow_hosts).pin(base_url)
