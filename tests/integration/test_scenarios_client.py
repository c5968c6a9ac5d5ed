"""A shopper's HTTP client against real sockets: TLS, IPv6, cookies, redirects, kept connections."""

import gzip
import socket
import ssl
import time
import zlib
from contextlib import contextmanager

import gevent
import pytest
import trustme

from doorbuster.errors import MissingPrerequisite, PlanError
from scenarios.client import Client
from scenarios.deadlines import Deadlines
from scenarios.endpoint import Hosts
from scenarios.outcome import Answer, NoAnswer
from scenarios.pool import Pool
from tests.scripted_server import OK, keep_answering, server

pytestmark = pytest.mark.integration

AUTHORITY = trustme.CA()
SHOP = AUTHORITY.issue_cert("localhost", "127.0.0.1", "::1")
HERE = ("127.0.0.1", "localhost", "::1")
REQUEST = b"GET /a/b HTTP/1.1\r\nHost: shop\r\n\r\n"


@pytest.fixture(scope="module")
def ca_file(tmp_path_factory):
    """Return the path of the certificate that vouches for the shop's."""
    path = tmp_path_factory.mktemp("authority") / "ca.pem"
    AUTHORITY.cert_pem.write_to_path(path)
    return str(path)


def secret():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    SHOP.configure_cert(context)
    return context


@contextmanager
def client_of(url, *, allow=HERE, ca_file=None, redirects=0):
    deadlines = Deadlines(time.monotonic, 1.0)
    sweeper = gevent.spawn(deadlines.sweep_forever)
    pool = Pool(deadlines)
    hosts = Hosts(allow, ca_file=ca_file)
    try:
        yield Client(hosts.pin(url), hosts, pool, redirects=redirects)
    finally:
        pool.close()
        sweeper.kill()
        assert not deadlines.open


def saying(*answers, heard=None):
    """Give one answer after the other on each connection, and note the requests."""

    def behave(connection, _number):
        for answer in answers:
            request = connection.recv(65536)
            if not request:
                return
            if heard is not None:
                heard.append(request.decode())
            connection.sendall(answer)
        connection.recv(1)

    return behave


def answer(*headers, status="200 OK", body=b"ok"):
    lines = "".join(f"{header}\r\n" for header in headers)
    head = f"HTTP/1.1 {status}\r\n{lines}Content-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def test_tls_is_verified_by_the_given_certificates_and_kept(ca_file):
    connections = []

    def behave(connection, number):
        connections.append((number, connection.version()))
        keep_answering(OK)(connection, number)

    with (
        server(behave, tls=secret()) as url,
        client_of(url, ca_file=ca_file) as client,
    ):
        replies = []
        for _ in range(3):
            replies.append(client.exchange(REQUEST))
            gevent.sleep(0.02)
    assert [reply.status for reply in replies] == [200, 200, 200]
    assert connections == [(0, "TLSv1.3")]


def test_large_messages_over_tls_arrive_whole(ca_file):
    body = bytes(range(256)) * 4000
    request = REQUEST + b"x" * 300_000

    def behave(connection, _number):
        left = len(request)
        while left:
            left -= len(connection.recv(65536))
        connection.sendall(answer(body=body))

    with (
        server(behave, tls=secret()) as url,
        client_of(url, ca_file=ca_file) as client,
    ):
        reply = client.exchange(request)
    assert isinstance(reply, Answer)
    assert reply.body == body


def test_unknown_certificate_is_not_trusted_and_nothing_is_sent():
    with server(saying(OK), tls=secret()) as url, client_of(url) as client:
        reply = client.exchange(REQUEST)
    assert isinstance(reply, NoAnswer)
    assert (reply.cause, reply.sent_s) == ("untrusted", None)


def test_certificates_of_the_environment_are_trusted(monkeypatch, ca_file):
    monkeypatch.setenv("SSL_CERT_FILE", ca_file)
    with server(saying(OK), tls=secret()) as url, client_of(url) as client:
        assert isinstance(client.exchange(REQUEST), Answer)


def test_certificate_of_another_name_is_not_trusted(monkeypatch, ca_file):
    with server(saying(OK), tls=secret()) as url:
        port = int(url.rpartition(":")[2])
        here = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: here)
        elsewhere = f"https://shop.test:{port}"
        with client_of(elsewhere, allow=["shop.test"], ca_file=ca_file) as client:
            reply = client.exchange(REQUEST)
    assert isinstance(reply, NoAnswer)
    assert (reply.cause, reply.sent_s) == ("untrusted", None)


@pytest.mark.parametrize(
    "behave",
    [lambda connection, _: connection.recv(1), lambda connection, _: connection.sendall(OK)],
    ids=["closes", "plain text"],
)
def test_failed_handshake_sent_nothing(behave, ca_file):
    with server(behave) as url:
        secure = url.replace("http:", "https:")
        with client_of(secure, ca_file=ca_file) as client:
            reply = client.exchange(REQUEST)
    assert isinstance(reply, NoAnswer)
    assert (reply.cause, reply.sent_s) == ("unreachable", None)


def test_handshake_without_end_has_a_deadline(ca_file):
    with server(lambda connection, _: time.sleep(1.2)) as url:
        secure = url.replace("http:", "https:")
        with client_of(secure, ca_file=ca_file) as client:
            reply = client.exchange(REQUEST)
    assert isinstance(reply, NoAnswer)
    assert (reply.cause, reply.sent_s) == ("timeout", None)


def test_unreadable_certificates_are_named(tmp_path):
    with pytest.raises(PlanError, match=r"ca_file .*nowhere"):
        Hosts(HERE, ca_file=str(tmp_path / "nowhere")).pin("https://localhost")


def test_ipv6_address_is_reached():
    with server(saying(OK), family=socket.AF_INET6) as url, client_of(url) as client:
        assert url.startswith("http://[::1]:")
        assert isinstance(client.exchange(REQUEST), Answer)


def test_second_address_of_a_name_is_tried(monkeypatch):
    """A name often has both kinds of address, and the shop listens on one."""
    with server(saying(OK)) as url:
        port = int(url.rpartition(":")[2])
        both = [
            (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("::1", port, 0, 0)),
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port)),
        ]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: both)
        with client_of(f"http://localhost:{port}") as client:
            assert isinstance(client.exchange(REQUEST), Answer)


def test_names_are_resolved_once_and_not_during_a_run(monkeypatch):
    with server(saying(OK)) as other:
        moved = answer(f"Location: {other}/x", status="302 Found")
        with (
            server(saying(moved)) as url,
            client_of(url.replace("127.0.0.1", "localhost"), redirects=1) as client,
        ):
            monkeypatch.setattr(socket, "getaddrinfo", None)
            assert isinstance(client.exchange(REQUEST), Answer)


def test_name_without_address_is_said_only_where_it_is_wanted():
    hosts = Hosts(["127.0.0.1", "nowhere.invalid"])
    assert hosts.pin("http://127.0.0.1:80").hostname == "127.0.0.1"
    with pytest.raises(MissingPrerequisite, match=r"host 'nowhere\.invalid'"):
        hosts.pin("http://nowhere.invalid:80")


def test_shop_is_reached_at_the_address_it_is_behind():
    """It was resolved before, or a proxy is there; its name need not mean anything here."""
    with server(saying(OK)) as url:
        hosts = Hosts(["nowhere.invalid"], via=url.removeprefix("http://"))
        endpoint = hosts.pin("http://nowhere.invalid:8080")
        pool = Pool(Deadlines(time.monotonic, 1.0))
        assert isinstance(Client(endpoint, hosts, pool).exchange(REQUEST), Answer)
        pool.close()
    assert (endpoint.hostname, endpoint.host_header) == ("nowhere.invalid", "nowhere.invalid:8080")


def test_cookies_go_back_to_where_they_came_from():
    heard = []
    first = answer(
        "Set-Cookie: cart=7; Path=/; HttpOnly",
        "Set-Cookie: deep=1; Path=/other",
        "Set-Cookie: private=1; Secure",
        "Set-Cookie: alien=1; Domain=example.test",
    )
    dropped = answer("Set-Cookie: cart=; Max-Age=0; Path=/")
    with server(saying(first, dropped, OK, heard=heard)) as url, client_of(url) as client:
        for _ in range(3):
            assert isinstance(client.exchange(REQUEST), Answer)
    assert "Cookie" not in heard[0]
    assert "\r\nCookie: cart=7\r\n" in heard[1]
    assert "Cookie" not in heard[2]


def test_redirect_is_an_answer_unless_it_is_to_be_followed():
    moved = answer("Location: /thanks", status="302 Found")
    with server(saying(moved)) as url, client_of(url) as client:
        reply = client.exchange(REQUEST)
    assert (reply.status, reply.header("location")) == (302, "/thanks")


def test_redirects_are_followed_with_what_they_set():
    heard = []
    moved = answer("Location: ../thanks?order=7", "Set-Cookie: seen=1; Path=/", status="303 X")
    kept = answer("Location: /again", status="308 X")
    post = b"POST /a/b HTTP/1.1\r\nHost: shop\r\nContent-Length: 2\r\n\r\n{}"
    with (
        server(saying(kept, moved, OK, heard=heard)) as url,
        client_of(url, redirects=2) as client,
    ):
        reply = client.exchange(post)
        host = url.removeprefix("http://")
    assert isinstance(reply, Answer)
    assert heard[1] == f"POST /again HTTP/1.1\r\nHost: {host}\r\nContent-Length: 2\r\n\r\n{{}}"
    assert heard[2] == f"GET /thanks?order=7 HTTP/1.1\r\nCookie: seen=1\r\nHost: {host}\r\n\r\n"


@pytest.mark.parametrize(
    "where",
    ["http://example.test/x", "ftp://127.0.0.1/x", "http://127.0.0.1:99999/", "http://[", "/round"],
    ids=["off the list", "no http", "no port", "no URL", "in a circle"],
)
def test_redirect_that_must_not_be_followed_is_no_answer(where):
    moved = answer(f"Location: {where}", status="302 Found")
    with server(saying(*[moved] * 9)) as url, client_of(url, redirects=3) as client:
        reply = client.exchange(REQUEST)
    assert isinstance(reply, NoAnswer)
    assert reply.cause == "redirect_refused"
    assert reply.sent_s is not None


def test_redirect_to_another_allowed_host_does_not_tell_it_secrets():
    heard = []
    asked = REQUEST.replace(b"\r\n\r\n", b"\r\nAuthorization: key\r\nX-Kept: 1\r\n\r\n")
    with server(saying(OK, heard=heard)) as other:
        moved = answer(f"Location: {other}/x", "Set-Cookie: mine=1", status="302 Found")
        with server(saying(moved)) as url, client_of(url, redirects=1) as client:
            assert isinstance(client.exchange(asked), Answer)
    host = other.removeprefix("http://")
    assert heard[0].startswith(f"GET /x HTTP/1.1\r\nHost: {host}\r\nX-Kept: 1\r\n")
    assert "Authorization" not in heard[0]


@pytest.mark.parametrize(
    ("coding", "coded"),
    [
        ("gzip", gzip.compress(b"stock: 7")),
        ("deflate", zlib.compress(b"stock: 7")),
        ("identity", b"stock: 7"),
    ],
    ids=["gzip", "deflate", "identity"],
)
def test_coded_body_is_read(coding, coded):
    said = answer(f"Content-Encoding: {coding}", body=coded)
    with server(saying(said)) as url, client_of(url) as client:
        assert client.exchange(REQUEST).body == b"stock: 7"


def test_two_requests_at_once_get_two_connections_and_keep_both():
    numbers = []

    def behave(connection, number):
        for _ in range(2):
            if not connection.recv(65536):
                return
            numbers.append(number)
            time.sleep(0.1)
            connection.sendall(OK)

    with server(behave) as url, client_of(url) as client:
        for _ in range(2):
            both = [gevent.spawn(client.exchange, REQUEST) for _ in range(2)]
            gevent.joinall(both)
            assert all(isinstance(one.value, Answer) for one in both)
    assert sorted(numbers) == [0, 0, 1, 1]


def test_session_that_is_ended_in_an_exchange_leaves_no_connection():
    with (
        server(lambda connection, _: connection.recv(65536) and connection.recv(1)) as url,
        client_of(url) as client,
    ):
        under_way = gevent.spawn(client.exchange, REQUEST)
        gevent.sleep(0.1)
        under_way.kill()
