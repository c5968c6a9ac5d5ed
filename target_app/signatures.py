"""Signatures of webhooks: HMAC-SHA256 over the body, known to the provider and the shop."""

import hashlib
import hmac

SIGNATURE_HEADER = "X-Psp-Signature"


def sign(body: bytes, secret: str) -> str:
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def is_signed(body: bytes, *, signature: str, secret: str) -> bool:
    """Compare in constant time, so that a forger learns nothing from how long "no" takes."""
    return hmac.compare_digest(sign(body, secret).encode(), signature.encode())
