"""Laws at the edge to the shop: whatever bytes come, an answer or a cause, never a crash."""

import contextlib
import gzip
import itertools
import tracemalloc
import zlib

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from scenarios.adapters.answers import ABSENT, Seen, at
from scenarios.content_coding import CodingError, DecodedTooLarge, decoded
from scenarios.cookies import CookieJar
from scenarios.endpoint import Endpoint
from scenarios.manners import asked_to_wait_s
from scenarios.outcome import Answer
from scenarios.redirects import onward, target
from scenarios.response import BODY_LIMIT_BYTES, ResponseReader

WORDS = st.sampled_from(
    [
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.1 101 Switch\r\nUpgrade: x\r\nConnection: upgrade\r\n",
        b"HTTP/1.0 500 No\r\n",
        b"HTTP/9.9 xxx\r\n",
        b"Content-Length: 3\r\n",
        b"Content-Length: 99999999999999999999\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"Content-Encoding: gzip\r\n",
        b"Content-Encoding: deflate, gzip, br, gzip\r\n",
        b"Set-Cookie: a=b\r\n",
        b"Location:\r\n",
        b"X: " + b"y" * 1000 + b"\r\n",
        b"\r\n",
        b"3\r\nabc\r\n",
        b"ffffffffffffffff\r\n",
        b"0\r\n\r\n",
        b"abc",
        b"\x00\xff",
        gzip.compress(b"abc"),
    ]
)


@given(
    words=st.lists(st.one_of(WORDS, st.binary(max_size=30)), max_size=12),
    head=st.booleans(),
    data=st.data(),
)
def test_no_bytes_crash_the_reader_and_it_says_how_it_ended(words, head, data):
    raw = b"".join(words)
    cuts = data.draw(st.lists(st.integers(0, max(0, len(raw))), max_size=6))
    reader = ResponseReader()
    reader.expect(head=head)
    cause = None
    for start, end in itertools.pairwise(sorted({0, len(raw), *cuts})):
        cause = reader.feed(raw[start:end])
        if cause is not None or reader.complete:
            break
    else:
        cause = reader.end()
    assert cause is not None or reader.complete
    if cause is None:
        assert 200 <= reader.status <= 999
        assert len(reader.body) <= (0 if head else BODY_LIMIT_BYTES)
    reader.close()


@given(
    body=st.binary(max_size=2000),
    codings=st.lists(st.sampled_from(["gzip", "deflate"]), max_size=3),
)
def test_coding_a_body_and_back_is_identity(body, codings):
    coded = body
    for coding in codings:
        coded = gzip.compress(coded) if coding == "gzip" else zlib.compress(coded)
    assert decoded(coded, ", ".join(codings).encode(), limit_bytes=10_000) == body


@given(body=st.binary(min_size=1, max_size=300), cut=st.integers(1, 12))
def test_body_that_was_cut_is_no_body(body, cut):
    whole = gzip.compress(body)
    with pytest.raises(CodingError):
        decoded(whole[:-cut], b"gzip", limit_bytes=10_000)


@given(body=st.binary(max_size=300), coding=st.sampled_from([b"gzip", b"deflate", b"br", b"?"]))
def test_garbage_under_any_coding_never_raises_anything_else(body, coding):
    with contextlib.suppress(CodingError, DecodedTooLarge):
        decoded(body, coding, limit_bytes=1000)


@given(size=st.integers(1001, 100_000))
def test_no_more_than_the_limit_is_ever_unpacked(size):
    with pytest.raises(DecodedTooLarge):
        decoded(gzip.compress(bytes(size)), b"gzip", limit_bytes=1000)


def test_flood_in_a_few_bytes_is_not_unpacked_first():
    bomb = gzip.compress(bytes(50_000_000))
    tracemalloc.start()
    try:
        with pytest.raises(DecodedTooLarge):
            decoded(bomb, b"gzip", limit_bytes=1_000_000)
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()


def test_two_members_and_raw_deflate_are_read_as_others_do():
    both = gzip.compress(b"one ") + gzip.compress(b"two")
    assert decoded(both, b"x-gzip", limit_bytes=100) == b"one two"
    raw = zlib.compress(b"raw")[2:-4]
    assert decoded(raw, b"deflate", limit_bytes=100) == b"raw"


@given(said=st.text(max_size=80), name=st.from_regex(r"[a-z]{1,8}", fullmatch=True))
def test_no_cookie_breaks_out_of_its_header(said, name):
    jar = CookieJar()
    jar.keep(f"{name}={said}", hostname="shop.test", path="/")
    header = jar.header(hostname="shop.test", path="/", secure=True)
    assert header.isascii()
    assert header.isprintable()


@given(where=st.text(max_size=60), status=st.sampled_from([301, 302, 303, 307, 308]))
def test_no_location_breaks_out_of_its_request(where, status):
    endpoint = Endpoint((), "shop.test", "shop.test")
    request = b"POST /a/b?c HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 1\r\n\r\nx"
    try:
        url = target(endpoint, request, where)
        found = onward(request, status, url, same_host=False)
    except ValueError:
        return
    head, _, content = found.partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    assert len(lines[0].split(b" ")) == 3
    assert lines[1].startswith(b"Host: ")
    assert len(lines) == (3 if status in (307, 308) else 2)
    assert content == (b"x" if status in (307, 308) else b"")


JSONISH = st.lists(
    st.one_of(
        st.sampled_from(
            [b"[", b"{", b'"a":', b'"', b",", b"]", b"}", b"1e999", b"\\ud800", b"\xff"]
        ),
        st.sampled_from([b"[" * 100_000, b'{"a":' * 100_000, b"9" * 5000]),
        st.binary(max_size=10),
    ),
    max_size=8,
).map(b"".join)


@given(body=JSONISH)
@example(body=b'{"a": "\xff"}')
@example(body=b"[" * 100_000)
def test_a_body_is_json_or_it_is_none(body):
    seen = Seen(Answer(200, body, 0.0, 1.0))
    at("$.a")(seen)
    assert at("$.a.b[0]")(seen) is ABSENT or seen.json is not ABSENT


@given(
    asked=st.one_of(
        st.text(max_size=40),
        st.from_regex(r"[+-]?[0-9]{1,30}", fullmatch=True),
        st.from_regex(
            r"(Mon|), [0-9]{1,3} (Jan|Feb) [0-9]{1,9} [0-9]{1,3}:[0-9]{2}:[0-9]{2} [+-][0-9]{2,25}",
            fullmatch=True,
        ),
    )
)
@example(asked="Mon, 01 Jan 2024 00:00:00 +99999999999999999")
@example(asked="Mon, 01 Jan 0001 00:00:00 +0900")
def test_whatever_is_asked_for_is_a_time_to_wait_or_nothing(asked):
    answer = Answer(503, b"", 0.0, 1.0, [(b"Retry-After", asked.encode("latin-1", "replace"))])
    wait_s = asked_to_wait_s(answer)
    assert wait_s is None or 0 <= wait_s < 1e12
