"""Small parts of the shop's face: signatures, instants, phases, problems, the OpenAPI document."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from fastapi import FastAPI

from target_app.catalogue import phase
from target_app.describing import described
from target_app.instants import rfc3339
from target_app.orders.checkout import Checkout
from target_app.problems import ProblemError, parse
from target_app.signatures import is_signed, sign
from target_app.strategies import STRATEGIES
from target_app.web import ops, shopping, webhooks

T0 = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)


def test_a_signature_fits_its_body_and_secret_only() -> None:
    signature = sign(b"body", "secret")
    assert is_signed(b"body", signature=signature, secret="secret")
    assert not is_signed(b"bodY", signature=signature, secret="secret")
    assert not is_signed(b"body", signature=signature, secret="Secret")
    assert not is_signed(b"body", signature="", secret="secret")
    assert not is_signed(b"body", signature="sha256=\xfc", secret="secret")


def test_instants_are_utc_with_microseconds() -> None:
    assert rfc3339(T0) == "2026-11-23T10:00:00.000000Z"
    assert rfc3339(T0.astimezone(timezone(timedelta(hours=8)))) == "2026-11-23T10:00:00.000000Z"


@pytest.mark.parametrize(
    ("offset_s", "expected"), [(-1, "scheduled"), (0, "live"), (9, "live"), (10, "ended")]
)
def test_a_sale_opens_at_and_ends_before(offset_s: int, expected: str) -> None:
    ends_at = T0 + timedelta(seconds=10)
    now = T0 + timedelta(seconds=offset_s)
    assert phase(now, starts_at=T0, ends_at=ends_at) == expected


@pytest.mark.parametrize(
    ("body", "where"),
    [
        (b"", "truncated"),
        (b'{"client_ref":1}', "$.client_ref"),
        (b'{"client_ref":"r","customer":"c","campaign_id":"sale","lines":[]}', "$.lines"),
        (
            b'{"client_ref":"r","customer":"c","campaign_id":"sale","lines":[{"sku":"S","qty":0}]}',
            "$.lines[0].qty",
        ),
        (
            b'{"client_ref":"r","customer":"c","campaign_id":"sale",'
            b'"lines":[{"sku":"S","qty":1}],"coupon":"X"}',
            "coupon",
        ),
    ],
)
def test_a_wrong_body_says_where(body: bytes, where: str) -> None:
    with pytest.raises(ProblemError) as raised:
        parse(body, Checkout)
    assert (raised.value.status, raised.value.code) == (422, "invalid_body")
    assert where in raised.value.details["detail"]


def test_every_wrong_strategy_names_who_sees_it_and_no_right_one_does() -> None:
    assert [entry["id"] for entry in described()["strategies"]] == list(STRATEGIES)
    for entry in described()["strategies"]:
        assert bool(entry["seen_by"]) != entry["correct"], entry


def test_openapi_knows_bodies_and_keys() -> None:
    app = FastAPI()
    for face in (shopping, webhooks, ops):
        app.include_router(face.router)
    paths = app.openapi()["paths"]
    checkout = paths["/v1/checkouts"]["post"]
    schema = checkout["requestBody"]["content"]["application/json"]["schema"]
    assert set(schema["required"]) == {"client_ref", "customer", "campaign_id", "lines"}
    assert schema["properties"]["lines"]["items"]["properties"]["qty"]["minimum"] == 1
    assert checkout["parameters"][0]["name"] == "Idempotency-Key"
    assert {"201", "409", "503"} <= set(checkout["responses"])
    assert "starts_at" in str(paths["/ops/sale"]["put"]["requestBody"])
