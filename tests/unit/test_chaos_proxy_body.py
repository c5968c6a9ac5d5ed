"""Request bodies as Go's encoding/json reads them."""

import pytest

from chaos.proxy.body import Body, parse_array, parse_object
from chaos.proxy.errors import ApiError


def test_names_match_in_any_case_and_the_last_one_wins() -> None:
    assert parse_object(b'{"name": "a", "NAME": "b"}').text("name", "") == "b"


def test_null_and_absence_leave_the_default() -> None:
    body = Body({"name": None, "enabled": None, "toxicity": None, "attributes": None})
    assert body.text("name", "x") == "x"
    assert body.flag("enabled", default=True) is True
    assert body.number("toxicity", 1) == 1
    assert body.members("attributes").integers({"latency": 4}) == {"latency": 4}


def test_integers_are_taken_one_by_one() -> None:
    given = Body({"JITTER": 3, "bogus": "x"})
    assert given.integers({"latency": 4, "jitter": 0}) == {"latency": 4, "jitter": 3}


@pytest.mark.parametrize("value", [1.5, 1.0, "1", True, [], 2**63])
def test_what_is_no_64_bit_integer_is_refused(value: object) -> None:
    with pytest.raises(ApiError, match="latency must be a 64-bit integer"):
        Body({"latency": value}).integers({"latency": 0})


@pytest.mark.parametrize(
    ("raw", "error"),
    [
        (b"", "EOF"),
        (b" \n", "EOF"),
        (b'{"a":', "unexpected EOF"),
        (b'{"a', "unexpected EOF"),
        (b"{]", "Expecting property name enclosed in double quotes at character 2"),
        (b"[]", "the body must be an object"),
        (b'{"a": NaN}', "NaN is not JSON"),
        (b"[" * 100_000, "nested too deeply"),
    ],
)
def test_what_is_no_object_is_refused(raw: bytes, error: str) -> None:
    with pytest.raises(ApiError) as raised:
        parse_object(raw)
    assert (raised.value.status, raised.value.text) == (400, f"bad request body: {error}")


def test_array_may_be_null() -> None:
    assert parse_array(b"null") == []
    assert parse_array(b'[{"name": "a"}, null]')[0].text("name", "") == "a"


def test_number_is_given_back_as_it_came() -> None:
    assert repr(Body({"toxicity": 1.0}).number("toxicity", 0)) == "1"
    assert repr(Body({"toxicity": 0.5}).number("toxicity", 0)) == "0.5"


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        (1, "1"),
        (1.0, "1"),
        (0.1, "0.1"),
        (123456789.123, "123456790"),
        (3.4028234663852886e38, "3.4028235e+38"),
        (1e-46, "0"),
        (-0.5, "-0.5"),
    ],
)
def test_numbers_are_of_single_precision_as_in_go(given: float, shown: str) -> None:
    assert str(Body({"toxicity": given}).number("toxicity", 1)) == shown


@pytest.mark.parametrize("given", [1e39, float("inf"), 10**400, "1", True])
def test_what_is_no_number_of_single_precision_is_refused(given: object) -> None:
    with pytest.raises(ApiError, match="toxicity must be a number"):
        Body({"toxicity": given}).number("toxicity", 1)


def test_counts_are_whole_and_not_negative() -> None:
    assert Body({"ttl_ms": 7}).count("ttl_ms") == 7
    assert Body({"ttl_ms": 0}).count("ttl_ms") is None
    assert Body({}).count("ttl_ms") is None
    for wrong in (-1, 1.5, "7"):
        with pytest.raises(ApiError, match="ttl_ms must be"):
            Body({"ttl_ms": wrong}).count("ttl_ms")
