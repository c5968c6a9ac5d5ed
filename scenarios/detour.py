"""The way to the shop for code that connects by itself: its own name, at an address of ours."""

import socket
from typing import Any, Final
from urllib.parse import urlsplit

import gevent.socket

_PORTS: Final = {"http": 80, "https": 443}


def lead_to(via: str, *, base_url: str) -> None:
    """Have this process find the shop of `base_url` at `via`, `IP:PORT`, from now on.

    The clients of a plain Locust file look names up themselves. Changed is only what they find, so
    that Host, cookies and certificates are those of the shop, also behind a proxy of the run.
    """
    url = urlsplit(base_url)
    shop = (url.hostname, url.port or _PORTS[url.scheme])
    ip, _, port = via.rpartition(":")
    look_up: Any = gevent.socket.getaddrinfo

    def led(host: Any, service: Any, *rest: Any, **options: Any) -> Any:
        if (_worded(host).lower(), _worded(service)) == (shop[0], str(shop[1])):
            host, service = ip.strip("[]"), int(port)
        return look_up(host, service, *rest, **options)

    modules: list[Any] = [socket, gevent.socket]  # some clients use the one, some the other
    for module in modules:
        module.getaddrinfo = led


def _worded(value: Any) -> str:
    return value.decode("ascii", "replace") if isinstance(value, bytes) else str(value)
