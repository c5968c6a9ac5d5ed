"""The OpenAPI document is true: whatever is sent, every answer is one that it names.

Schemathesis makes requests out of the document, valid ones and broken ones, the same in every run.
Half of them name things that are really there, since most others would end at the first 404.
"""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from hypothesis.strategies import DataObject
from schemathesis import Case, GenerationMode
from schemathesis.checks import load_all_checks, not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.integration.running_shop import OPS
from tests.integration.shop_database import Server, fresh_database, postgres
from tests.integration.test_target_processes import (
    free_port,
    provider_environment,
    ready,
    started,
    storefront_environment,
)

__all__ = ["postgres"]
pytestmark = pytest.mark.integration

Operation = APIOperation[Any, Any, Any, Any]

CASES = {GenerationMode.POSITIVE: 8, GenerationMode.NEGATIVE: 4}
"""Requests for each operation."""

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
SALE: dict[str, Any] = {
    "starts_at": "2020-01-01T00:00:00Z",
    "items": [
        {"sku": "HOT", "stock": 1000, "price": 9900},
        {"sku": "FREE", "stock": 1000, "price": 0, "limit_per_user": 3},
    ],
    "coupons": [{"code": "NEW20", "off": {"amount": 2000}, "usage_limit": 40}],
    "promotions": [{"kind": "item_discount", "id": "half", "off": {"percent": 50}}],
}
CHECKOUT = {"customer": "c", "campaign_id": "sale", "lines": [{"sku": "HOT", "qty": 1}]}
MORE_THAN_THERE_ARE = 50


class Shop:
    """A running shop with something of everything in it."""

    def __init__(self, url: str, client: httpx.Client) -> None:
        self.url = url
        self.client = client
        self._orders = 0
        self._renew()
        login = client.post("/v1/sessions", json={"customer": "c"}).json()
        self.member = {"Authorization": f"Bearer {login['token']}"}
        cart = {"lines": [{"sku": "HOT", "qty": 1}]}
        assert client.put("/v1/carts/mine/items", json=cart).status_code == 200

    def _renew(self) -> None:
        assert self.client.put("/ops/sale", json=SALE, headers=OPS).status_code == 200

    def order(self, *, paid: bool) -> str:
        """Return a new order; some requests need one that can still be paid, others one that is."""
        self._orders += 1
        ref = f"ref{self._orders}"
        body = {**CHECKOUT, "client_ref": ref}
        answer = self.client.post("/v1/checkouts", json=body, headers={"Idempotency-Key": ref})
        if answer.status_code != 201:  # another sale was started meanwhile
            self._renew()
            return self.order(paid=paid)
        order_id = str(answer.json()["order_id"])
        if paid:
            self.client.post(
                f"/v1/orders/{order_id}/payments",
                json={"method": "card"},
                headers={"Idempotency-Key": f"pay {ref}"},
            )
        return order_id


@pytest.fixture(scope="module")
def shop(postgres: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    port, provider_port = free_port(), free_port()
    folder: Path = tmp_path_factory.mktemp("openapi")
    url = f"http://127.0.0.1:{port}"
    with (
        fresh_database(postgres) as dsn,
        started("provider", "--port", str(provider_port), **provider_environment(folder, port)),
        started("storefront", "--port", str(port), **storefront_environment(dsn, provider_port)),
        ready(f"http://127.0.0.1:{provider_port}"),
        ready(url) as client,
    ):
        yield Shop(url, client)


def made_real(case: Case, shop: Shop, data: DataObject) -> None:
    """Name what is there in place of what was made up."""
    known = {
        "sku": "HOT",
        "campaign_id": "sale",
        "campaign": "sale",
        "code": "NEW20",
        "cart_id": "mine",
    }
    if case.path_parameters and "order_id" in case.path_parameters:
        known["order_id"] = shop.order(paid=data.draw(st.booleans()))
    for name in case.path_parameters or {}:
        case.path_parameters[name] = known.get(name, case.path_parameters[name])
    _fill_in(case.body, known)


def _fill_in(body: Any, known: dict[str, str]) -> None:
    if isinstance(body, list):
        for part in body:
            _fill_in(part, known)
    elif isinstance(body, dict):
        for name, value in body.items():
            if name in known and isinstance(value, str):
                body[name] = known[name]
            else:
                _fill_in(value, known)


def findings(operation: Operation, mode: GenerationMode, shop: Shop) -> set[str]:
    """Return what was wrong with answers of one operation, each with how to ask again."""
    found: set[str] = set()

    @settings(
        max_examples=CASES[mode],
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(operation.as_strategy(generation_mode=mode), st.data())
    def asked(case: Case, data: DataObject) -> None:
        if data.draw(st.booleans()):
            made_real(case, shop, data)
        known = OPS if case.path.startswith("/ops") else shop.member
        headers = known if data.draw(st.integers(0, 4)) else None
        response = case.call(base_url=shop.url, headers=headers, timeout=20)
        try:
            case.validate_response(response, checks=CHECKS)
        except FailureGroup as failures:
            for failure in failures.exceptions:
                again = case.as_curl_command()
                found.add(f"{operation.label}: {response.status_code}: {failure}\n{again}")

    with suppress(Unsatisfiable):  # nothing about it can be wrong
        asked()
    return found


def test_every_answer_is_documented(shop: Shop) -> None:
    load_all_checks()
    document = shop.client.get("/openapi.json").json()
    schema = schemathesis.openapi.from_dict(document)
    found: set[str] = set()
    for result in schema.get_all_operations():
        for mode in CASES:
            found |= findings(result.ok(), mode, shop)
    assert not found, "\n\n".join(sorted(found)[:MORE_THAN_THERE_ARE])
