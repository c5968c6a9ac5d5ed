"""Laws of traffic: nothing depends on how bytes are split, arrivals striped or values written."""

import itertools
import json
import math

import pytest
from hdrh.histogram import HdrHistogram
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from doorbuster.arrivals import arrivals, timetable
from scenarios.adapter import load_adapter
from scenarios.latency import Latencies
from scenarios.response import ResponseReader
from scenarios.shop import speak
from scenarios.step import Step
from tests.scenarios_fakes import Script, plan_of, replied

SHOP = speak(load_adapter(), host="shop")

RESPONSES = st.sampled_from(
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 200, b"hello"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", 204, b""),
        (
            b"HTTP/1.1 201 X\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n3\r\ncde\r\n0\r\n\r\n",
            201,
            b"abcde",
        ),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 503 X\r\nContent-Length: 1\r\n\r\nx", 503, b"x"),
    ]
)


@given(count=st.integers(1, 7))
def test_stripes_share_all_arrivals_out(count):
    traffic, seed = plan_of().plan.traffic, 7
    stripes = [list(timetable(traffic, seed, index=n, count=count)) for n in range(count)]
    everyone = sorted((arrival for stripe in stripes for arrival in stripe), key=lambda a: a.index)
    assert everyone == arrivals(traffic, seed)
    assert max(map(len, stripes)) - min(map(len, stripes)) <= 1


def test_stripes_hold_every_countth_arrival_of_the_plan():
    plan = plan_of().plan
    for index in range(3):
        mine = timetable(plan.traffic, plan.seed, index=index, count=3)
        assert {arrival.index % 3 for arrival in mine} == {index}
        assert len(mine) == len(list(mine))


@pytest.mark.parametrize(("index", "count"), [(3, 3), (-1, 2), (0, 0)])
def test_a_stripe_that_is_none_is_refused(index, count):
    traffic = plan_of().plan.traffic
    with pytest.raises(ValueError, match=f"stripe {index} of {count}: expected an index below"):
        timetable(traffic, 7, index=index, count=count)


@given(response=RESPONSES, cuts=st.lists(st.integers(1, 100), max_size=8), again=st.booleans())
def test_response_is_the_same_however_it_is_split(response, cuts, again):
    raw, status, body = response
    reader = ResponseReader()
    for _ in range(2 if again else 1):
        reader.expect()
        places = sorted({0, len(raw), *(cut for cut in cuts if cut < len(raw))})
        for start, end in itertools.pairwise(places):
            assert not reader.complete
            assert reader.feed(raw[start:end]) is None
        assert (reader.complete, reader.reusable) == (True, True)
        assert (reader.status, reader.body) == (status, body)
    reader.close()


@given(garbage=st.lists(st.binary(max_size=200), max_size=5))
def test_garbage_never_raises(garbage):
    reader = ResponseReader()
    for part in garbage:
        if reader.feed(part) is not None or reader.complete:
            break
    reader.end()
    reader.close()


@given(values=st.lists(st.text(), min_size=5, max_size=5))
def test_no_value_can_break_out_of_a_request(values):
    sku, user_ref, client_ref, key, order_id = values
    step = Step("1", "pay", 1, 1, "p", user_ref, 0.0, sku, 1, client_ref, key, order_id)
    for op in ("reserve", "pay", "view"):
        script = Script(replied(200, b"{}"))
        SHOP[op].perform(replace(step, op=op), script)
        head, _, body = script.requests[0].partition(b"\r\n\r\n")
        lines = head.split(b"\r\n")
        assert len(lines[0].split(b" ")) == 3
        assert all(line.count(b":") >= 1 and line.isascii() for line in lines[1:])
        assert not any(b"\n" in line or b"\r" in line for line in lines)
        assert sum(line.startswith(b"Content-Length: ") for line in lines) == (op != "view")
        if op == "reserve":
            assert json.loads(body)["lines"] == [{"sku": sku, "qty": 1}]
            assert json.loads(body)["client_ref"] == client_ref


@given(body=st.binary(max_size=60), status=st.integers(200, 599))
def test_every_answer_has_a_meaning(body, status):
    for op, spoken in SHOP.items():
        step = Step("1", op, 1, 1, "p", "u", 0.0, "s", 1, "ref", "key", "o")
        found = spoken.perform(step, Script(replied(status, body)))
        assert found.outcome in ("ok", "fail", "info", "pending")
        assert (found.reason is None) == (found.outcome in ("ok", "pending")), op


@given(
    values=st.lists(
        st.tuples(st.floats(-3, 9), st.sampled_from(["a", "b"]), st.floats(0, 100)), max_size=40
    )
)
def test_latency_log_holds_every_value_to_three_digits(values):
    latencies = Latencies()
    for due_s, tag, seconds in values:
        latencies.add(math.floor(due_s), tag, seconds)
    found = {}
    for line in latencies.lines(before_s=math.inf):
        if line:
            tag, second, _, _, encoded = line.decode().strip().split(",")
            histogram = found.setdefault((tag, float(second)), HdrHistogram(1, 60_000_000, 3))
            histogram.decode_and_add(encoded)
    assert sum(h.get_total_count() for h in found.values()) == len(values)
    for due_s, tag, seconds in values:
        value_us = min(60_000_000, max(1, round(seconds * 1e6)))
        assert found[f"Tag={tag}", math.floor(due_s)].get_count_at_value(value_us) > 0
