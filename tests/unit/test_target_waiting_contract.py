"""What the OpenAPI document says of the waiting room."""

import pytest
from fastapi import FastAPI

from target_app.web import shopping, waiting

app = FastAPI()
for face in (waiting, shopping):
    app.include_router(face.router)
PATHS = app.openapi()["paths"]


@pytest.mark.parametrize(
    ("method", "path", "statuses"),
    [
        ("post", "/v1/queue/{campaign_id}/tickets", "200 202 404 409 410 422 503"),
        ("get", "/v1/queue/tickets/{ticket_id}", "200 202 404 409 410 429 503"),
        ("delete", "/v1/queue/tickets/{ticket_id}", "200 404 503"),
    ],
)
def test_every_status_is_documented(method: str, path: str, statuses: str) -> None:
    assert set(statuses.split()) <= set(PATHS[path][method]["responses"])


def test_the_body_of_a_ticket_and_the_token_of_a_checkout_are_documented() -> None:
    joining = PATHS["/v1/queue/{campaign_id}/tickets"]["post"]["requestBody"]
    schema = joining["content"]["application/json"]["schema"]
    assert (set(schema["properties"]), schema["required"]) == ({"customer", "sku"}, ["customer"])
    headers = {each["name"]: each for each in PATHS["/v1/checkouts"]["post"]["parameters"]}
    assert headers["Admission-Token"]["required"] is False
