"""What OpenAPI cannot see because bodies are read by hand, for speed."""

from typing import Any

import msgspec

IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": True,
    "schema": {"type": "string", "maxLength": 255},
}
ADMISSION_TOKEN = {
    "name": "Admission-Token",
    "in": "header",
    "required": False,
    "description": "From the waiting room, where there is one; good for one order.",
    "schema": {"type": "string"},
}

AT_THE_DOOR = (408, 413)
"""What a body may be answered with before anybody has looked at it: too slow, or too large."""


def takes(body: type, *, keyed: bool = False, admitted: bool = False) -> dict[str, Any]:
    """Return the OpenAPI part of an endpoint that reads `body`."""
    (schema,), components = msgspec.json.schema_components([body], ref_template="#/$defs/{name}")
    inlined = _inline(schema, components)
    operation: dict[str, Any] = {
        "requestBody": {"required": True, "content": {"application/json": {"schema": inlined}}},
        "responses": {str(status): told for status, told in problems(*AT_THE_DOOR).items()},
    }
    parameters = [IDEMPOTENCY_KEY] * keyed + [ADMISSION_TOKEN] * admitted
    return operation | ({"parameters": parameters} if parameters else {})


def answers(media_type: str, schema: dict[str, Any]) -> dict[int | str, dict[str, Any]]:
    """Return the OpenAPI part of a 200 that is not JSON."""
    return {200: {"description": "OK", "content": {media_type: {"schema": schema}}}}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    content = {"application/problem+json": {"schema": {"type": "object"}}}
    return {
        status: {"description": "Problem (RFC 9457)", "content": content} for status in statuses
    }


def _inline(schema: Any, components: dict[str, Any]) -> Any:
    """Put components where they are used: FastAPI keeps only those of its own models."""
    if isinstance(schema, list):
        return [_inline(part, components) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return _inline(components[schema["$ref"].rpartition("/")[2]], components)
    return {
        name: _inline(part, components)
        for name, part in schema.items()
        if name != "discriminator"  # it names components too; the parts' constant tags say as much
    }
