"""Addresses as Go reads them."""

import asyncio
import socket

import pytest

from chaos.proxy.address import Address, bind, bound, resolve
from chaos.proxy.errors import ApiError


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("127.0.0.1:80", "127.0.0.1", 80),
        ("127.0.0.1:", "127.0.0.1", 0),
        ("", "", 0),
        (":7", "", 7),
        ("[::1]:80", "::1", 80),
        ("localhost:80", "127.0.0.1", 80),
    ],
)
def test_address_is_resolved(text: str, host: str, port: int) -> None:
    assert asyncio.run(resolve(text)) == Address(host, port)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("nope", "address nope: missing port in address"),
        ("[::1]", "address [::1]: missing port in address"),
        ("::1:80", "address ::1:80: too many colons in address"),
        ("127.0.0.1:65536", "address 65536: invalid port"),
        ("127.0.0.1:-1", "address -1: invalid port"),
        ("127.0.0.1:no-such-service", "lookup tcp/no-such-service: unknown port"),
    ],
)
def test_nonsense_is_refused_in_gos_words(text: str, error: str) -> None:
    with pytest.raises(ApiError) as raised:
        asyncio.run(resolve(text))
    assert (raised.value.status, raised.value.text) == (500, error)


def test_ipv6_is_written_in_brackets() -> None:
    assert str(Address("::1", 80)) == "[::1]:80"
    assert str(Address("127.0.0.1", 80)) == "127.0.0.1:80"


def test_wildcard_takes_ipv4_as_well() -> None:
    with bind(Address("", 0)) as listener:
        port = int(bound(listener).rpartition(":")[2])
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
