"""What the OpenAPI document says of catalogue, members, carts, quotes, coupons and campaigns."""

from typing import Any

import jsonschema
import pytest
from fastapi import FastAPI

from target_app.web import campaigns, carts, catalogue, coupons, members, ops, quotes, shopping

app = FastAPI()
for face in (catalogue, members, carts, quotes, coupons, campaigns, ops, shopping):
    app.include_router(face.router)
PATHS = app.openapi()["paths"]


def schema(method: str, path: str) -> Any:
    return PATHS[path][method]["requestBody"]["content"]["application/json"]["schema"]


@pytest.mark.parametrize(
    ("method", "path", "statuses"),
    [
        ("get", "/v1/products", {"200", "304", "422", "503"}),
        ("get", "/v1/products/{sku}", {"200", "304", "404", "503"}),
        ("get", "/v1/campaigns/{campaign_id}", {"200", "404", "503"}),
        ("post", "/v1/sessions", {"201", "422"}),
        ("get", "/v1/carts/{cart_id}/items", {"200", "404", "422"}),
        ("put", "/v1/carts/{cart_id}/items", {"200", "404", "409", "422"}),
        ("delete", "/v1/carts/{cart_id}/items", {"200", "404", "409", "422"}),
        ("post", "/v1/pricing/quote", {"200", "401", "404", "409", "422"}),
        ("post", "/v1/coupons/{code}/claim", {"201", "401", "404", "409"}),
        ("post", "/ops/campaigns/{campaign_id}/pause", {"202", "401", "404", "409"}),
        ("post", "/ops/campaigns/{campaign_id}/resume", {"202", "401", "404", "409"}),
        ("put", "/ops/campaigns/{campaign_id}/promotions", {"200", "401", "404", "422"}),
        ("post", "/v1/checkouts", {"201", "403", "409", "412", "422"}),
    ],
)
def test_every_status_is_documented(method: str, path: str, statuses: set[str]) -> None:
    assert statuses <= set(PATHS[path][method]["responses"])


@pytest.mark.parametrize(
    ("promotion", "is_valid"),
    [
        ({"kind": "item_discount", "id": "i", "off": {"percent": 5}}, True),
        ({"kind": "gift", "id": "i", "sku": "TOY"}, True),
        ({"kind": "gift", "id": "i"}, False),
        ({"kind": "no-such", "id": "i"}, False),
        ({"kind": "threshold", "id": "i", "off": {"percent": 101}, "min_amount": 5}, False),
    ],
)
def test_promotions_are_described_in_full(promotion: dict[str, Any], is_valid: bool) -> None:
    described = schema("put", "/ops/campaigns/{campaign_id}/promotions")
    assert "$ref" not in str(described)
    assert "#/" not in str(described)
    validator = jsonschema.Draft202012Validator(described)
    assert validator.is_valid({"promotions": [promotion]}) is is_valid
    assert "promotions" in schema("put", "/ops/sale")["properties"]
