"""The HTTP connection against servers that misbehave: right cause, bounded time, no crash."""

import gzip
import socket
import threading
import time
from contextlib import contextmanager
from urllib.parse import urlsplit

import gevent
import pytest

from doorbuster.errors import DoorbusterError, PlanError
from scenarios import channel, wire
from scenarios.deadlines import Deadlines
from scenarios.endpoint import pin
from scenarios.outcome import Answer, NoAnswer
from scenarios.plain_wire import PlainWire
from tests.scripted_server import OK, answering, keep_answering, linger, reset, server

pytestmark = pytest.mark.integration

REQUEST = b"GET /x HTTP/1.1\r\nHost: h\r\n\r\n"
UNSAFE = b"POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n"
TIMEOUT_S = 0.5

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
CODED = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n"
BOMB = gzip.compress(b"0" * 50_000_000)


@contextmanager
def connection_to(url):
    deadlines = Deadlines(time.monotonic, TIMEOUT_S)
    sweeper = gevent.spawn(deadlines.sweep_forever)
    connection = wire.Connection(pin(url, ["127.0.0.1"]), deadlines)
    try:
        yield connection
    finally:
        connection.close()
        sweeper.kill()


def exchanged(behave, count=1):
    with server(behave) as url, connection_to(url) as connection:
        return [connection.exchange(REQUEST) for _ in range(count)]


def drip(connection):
    """Send one header byte at a time, for as long as the client takes it (at most 5 s)."""
    for _ in range(100):
        connection.sendall(b"x")
        time.sleep(0.05)


def endless_headers(connection):
    for number in range(100_000):
        connection.sendall(b"X-Filler-%d: %s\r\n" % (number, b"y" * 100))


def endless_interims(connection):
    for _ in range(100_000):
        connection.sendall(b"HTTP/1.1 103 Early\r\nX: y\r\n\r\n")


def endless_chunk_extension(connection):
    connection.sendall(b"1;")
    for _ in range(10_000):
        connection.sendall(b"e" * 4096)


def endless_body(connection):
    for _ in range(10_000):
        connection.sendall(b"z" * 4096)


@pytest.mark.parametrize(
    ("behave", "cause"),
    [
        (answering(), "eof"),
        (answering(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"), "eof"),
        (answering(b"HTTP/1.1 200 OK\r\nContent-"), "eof"),
        (answering(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab"), "eof"),
        (answering(b"HTTP/1.1 100 Continue\r\n\r\n"), "eof"),
        (answering(then=reset), "reset"),
        (answering(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", then=reset), "reset"),
        (answering(then=linger), "timeout"),
        (answering(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", then=linger), "timeout"),
        (answering(b"HTTP/1.1 200 OK\r\nX: ", then=drip), "timeout"),
        (answering(b"\x16\x03\x01 not HTTP\r\n\r\n"), "malformed"),
        (answering(b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n"), "malformed"),
        (answering(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"), "malformed"),
        (
            answering(b"HTTP/1.1 101 X\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n\0"),
            "malformed",
        ),
        (answering(b"HTTP/1.1 200 OK\r\n", then=endless_headers), "too_large"),
        (answering(b"HTTP/1.1 200 OK\r\n\r\n", then=endless_body), "too_large"),
        (
            answering(b"HTTP/1.1 200 OK\r\nContent-Length: 999999999\r\n\r\n", then=endless_body),
            "too_large",
        ),
        (answering(b"HTTP/1.1 100 Continue\r\n\r\n", then=endless_interims), "too_large"),
        (answering(CHUNKED + b"1\r\nx\r\n0\r\n", then=endless_headers), "too_large"),
        (answering(CHUNKED, then=endless_chunk_extension), "too_large"),
        (answering(CODED % 5 + b"stuff"), "malformed"),
        (answering(CODED % 10 + gzip.compress(b"x" * 99)[:10]), "malformed"),
        (answering(CODED % len(BOMB) + BOMB), "too_large"),
    ],
    ids=[
        "closes at once",
        "truncated body",
        "truncated head",
        "truncated chunk",
        "only an interim response",
        "resets",
        "resets in the body",
        "never answers",
        "never ends the body",
        "slow drip",
        "garbage",
        "negative length",
        "bad chunk",
        "upgrade",
        "endless headers",
        "endless body",
        "long body",
        "endless interim responses",
        "endless trailers",
        "endless chunk extension",
        "not gzip",
        "truncated gzip",
        "gzip bomb",
    ],
)
def test_no_answer_has_its_cause_and_bytes_were_sent(behave, cause):
    began_s = time.monotonic()
    (reply,) = exchanged(behave)
    assert isinstance(reply, NoAnswer), reply
    assert reply.cause == cause
    assert reply.sent_s is not None
    assert began_s <= reply.sent_s <= reply.ended_s <= began_s + TIMEOUT_S + 2.0


@pytest.mark.parametrize(
    ("raw", "status", "body"),
    [
        (OK, 200, b"ok"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + OK, 200, b"ok"),
        (b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + OK, 200, b"ok"),
        (b"HTTP/1.1 409 No\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n", 409, b"no"),
        (b"HTTP/1.1 200 OK\r\n\r\nto the end", 200, b"to the end"),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx", 200, b"x"),
        (b"HTTP/1.1 204 None\r\n\r\n", 204, b""),
        (OK + b"HTTP/1.1 500 Stray\r\nContent-Length: 1\r\n\r\nx", 200, b"ok"),
        (OK + b"\x00garbage", 200, b"ok"),
    ],
)
def test_whole_answers_are_read(raw, status, body):
    (reply,) = exchanged(answering(raw))
    assert isinstance(reply, Answer), reply
    assert (reply.status, reply.body) == (status, body)


def connections_used(behave, pause_s=0.0):
    numbers = []

    def counted(connection, number):
        numbers.append(number)
        behave(connection, number)

    with server(counted) as url, connection_to(url) as connection:
        replies = []
        for _ in range(3):
            replies.append(connection.exchange(REQUEST))
            gevent.sleep(pause_s)
    return len(numbers), [
        reply.status if isinstance(reply, Answer) else reply.cause for reply in replies
    ]


def test_connection_is_kept_between_requests():
    assert connections_used(keep_answering(OK)) == (1, [200, 200, 200])


@pytest.mark.parametrize(
    "raw",
    [
        OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"),
        OK + b"stray",
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
    ],
    ids=["said close", "stray bytes", "http 1.0"],
)
def test_connection_is_not_kept_when_it_cannot_be(raw):
    assert connections_used(keep_answering(raw)) == (3, [200, 200, 200])


def test_connection_that_the_shop_closed_while_idle_is_replaced_unnoticed():
    assert connections_used(keep_answering(OK, times=1), pause_s=0.1) == (3, [200, 200, 200])


def ends_at_the_second_request(connection, number):
    """Only the first connection does: a kept one may end just when the next request leaves."""
    connection.recv(65536)
    connection.sendall(OK)
    connection.recv(65536)
    if number > 0:
        connection.sendall(OK)


def test_kept_connection_that_ends_at_an_unsafe_request_is_unknown():
    """The request's bytes were sent, so it may have taken effect: not to be repeated blindly."""
    with server(ends_at_the_second_request) as url, connection_to(url) as connection:
        first, second = connection.exchange(UNSAFE), connection.exchange(UNSAFE)
    assert isinstance(first, Answer)
    assert isinstance(second, NoAnswer)
    assert (second.cause in ("eof", "reset"), second.sent_s is not None) == (True, True)


def test_kept_connection_that_ends_at_a_safe_request_is_replaced():
    first, second = exchanged(ends_at_the_second_request, count=2)
    assert isinstance(first, Answer)
    assert isinstance(second, Answer)
    assert second.sent_s > first.ended_s


def test_safe_request_is_not_repeated_once_an_answer_began():
    connections = []

    def behave(connection, number):
        connections.append(number)
        connection.recv(65536)
        connection.sendall(OK)
        connection.recv(65536)
        connection.sendall(OK[:20])

    first, second = exchanged(behave, count=2)
    assert isinstance(first, Answer)
    assert isinstance(second, NoAnswer)
    assert (second.cause, connections) == ("eof", [0])


def test_safe_request_is_repeated_only_once():
    connections = []

    def behave(connection, number):
        connections.append(number)
        connection.recv(65536)
        if number == 0:
            connection.sendall(OK)
            connection.recv(65536)

    _, second = exchanged(behave, count=2)
    assert isinstance(second, NoAnswer)
    assert (second.cause, connections) == ("eof", [0, 1])


def test_kept_connection_that_ended_unseen_is_replaced_before_an_unsafe_request():
    """Nothing was sent on the old one, so nothing can have happened twice."""
    ended = threading.Event()

    def behave(connection, number):
        connection.recv(65536)
        connection.sendall(OK)
        if number == 0:
            connection.close()
            ended.set()

    with server(behave) as url, connection_to(url) as connection:
        assert isinstance(connection.exchange(UNSAFE), Answer)
        assert ended.wait(5)
        assert isinstance(connection.exchange(UNSAFE), Answer)


def test_refused_connection_sent_nothing():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with connection_to(f"http://127.0.0.1:{port}") as connection:
        reply = connection.exchange(REQUEST)
    assert isinstance(reply, NoAnswer)
    assert (reply.cause, reply.sent_s) == ("refused", None)


def test_connecting_has_a_deadline_and_sent_nothing():
    """A listener whose backlog is full lets connections wait for ever."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        address = listener.getsockname()
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(address)
        try:
            with connection_to(f"http://127.0.0.1:{address[1]}") as connection:
                reply = connection.exchange(REQUEST)
        finally:
            for filler in fillers:
                filler.close()
    assert isinstance(reply, NoAnswer)
    assert (reply.cause, reply.sent_s) == ("timeout", None)


def test_request_that_is_taken_slowly_was_sent():
    """Part of the bytes left before the deadline, so the shop may act on them."""
    with server(lambda connection, _: time.sleep(1.5)) as url, connection_to(url) as connection:
        reply = connection.exchange(REQUEST + b"x" * 20_000_000)
    assert isinstance(reply, NoAnswer)
    assert reply.cause == "timeout"
    assert reply.sent_s is not None


def test_connection_works_again_after_a_timeout():
    def behave(connection, number):
        connection.recv(65536)
        if number == 0:
            linger(connection)
        connection.sendall(OK)

    first, second = exchanged(behave, count=2)
    assert isinstance(first, NoAnswer)
    assert isinstance(second, Answer)


def test_deadline_of_an_exchange_does_not_end_the_next():
    """The second one lies across the first one's deadline, but within its own."""

    def behave(connection, _number):
        connection.recv(65536)
        connection.sendall(OK)
        connection.recv(65536)
        time.sleep(0.6 * TIMEOUT_S)
        connection.sendall(OK)

    with server(behave) as url, connection_to(url) as connection:
        assert isinstance(connection.exchange(REQUEST), Answer)
        gevent.sleep(0.7 * TIMEOUT_S)
        assert isinstance(connection.exchange(REQUEST), Answer)


def test_running_out_of_sockets_is_our_failure_not_the_shops(monkeypatch):
    def none_left(*_):
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(channel, "Socket", none_left)
    with (
        connection_to("http://127.0.0.1:9") as connection,
        pytest.raises(DoorbusterError, match="Too many open files"),
    ):
        connection.exchange(REQUEST)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("http://example.test:80", "not on the allow-list"),
        ("ftp://127.0.0.1:80", "expected http"),
        ("http://127.0.0.1:99999", "out of range"),
        ("127.0.0.1:80", "expected http"),
        ("http://127.0.0.1:80/base", "expected http"),
    ],
)
def test_only_allowed_hosts_are_contacted(url, message):
    with pytest.raises(PlanError, match=message):
        pin(url, ["127.0.0.1"])


HEAD = b"HEAD /x HTTP/1.1\r\nHost: h\r\n\r\n"
LONG = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 5000\r\n\r\n"
INTERIM = b"HTTP/1.1 103 Early\r\n\r\n"


@pytest.mark.parametrize("headers", [LONG, INTERIM + LONG], ids=["at once", "after an interim one"])
def test_the_answer_to_a_head_has_no_body_whatever_its_length_says(headers):
    """Method: the server never sends one and keeps the connection, by which a GET goes next."""
    places = []

    def behave(connection, number):
        for answer in (headers, OK, headers):
            places.append((number, connection.recv(65536)[:4]))
            connection.sendall(answer)
        linger(connection)

    with server(behave) as url, connection_to(url) as connection:
        found = [connection.exchange(request) for request in (HEAD, REQUEST, HEAD)]
    assert [answer.status for answer in found] == [200] * 3
    assert [answer.body for answer in found] == [b"", b"ok", b""]
    assert places == [(0, b"HEAD"), (0, b"GET "), (0, b"HEAD")]


def test_a_body_that_comes_with_a_head_all_the_same_is_not_the_next_answer():
    with server(keep_answering(OK)) as url, connection_to(url) as connection:
        found = [connection.exchange(request) for request in (HEAD, REQUEST)]
    assert [answer.body for answer in found] == [b"", b"ok"]


def test_a_probe_s_head_does_not_wait_for_a_body_either():
    with server(answering(LONG, then=linger)) as url:
        where = urlsplit(url)
        found = PlainWire(where, (where.hostname, where.port)).exchange(HEAD)
    assert (found.status, found.body) == (200, b"")
