"""Reading requests: which shop they are for, and their headers."""

from fastapi import Request

from target_app.problems import ProblemError
from target_app.shop import Shop

KEY_LENGTH_MAX = 255


def shop_of(request: Request) -> Shop:
    shop: Shop = request.app.state.shop
    return shop


def idempotency_key(request: Request) -> str:
    key = request.headers.get("idempotency-key", "")
    if not key:
        raise ProblemError(400, "key_missing", details={"detail": "send an Idempotency-Key"})
    if len(key) > KEY_LENGTH_MAX:
        raise ProblemError(400, "key_too_long", details={"detail": f"at most {KEY_LENGTH_MAX}"})
    return key
