"""A shop whose orders are signed: what an adapter file cannot say, a class can.

doorbuster rehearse my-plan.yaml --set shop=docs/examples/signed_shop.py:SignedShop
"""

import hashlib
import hmac
import json
import os

from scenarios.python_shop import Ask, Judgement, fail, ok, unknown
from scenarios.step import Step

SECRET = os.environ.get("SHOP_SIGNING_SECRET", "only for rehearsals").encode()


class SignedShop:
    """Orders are one JSON document each, signed; the answer is 200 to everything."""

    repeatable = ("reserve",)

    def view(self, step: Step, ask: Ask) -> Judgement:
        page = ask.get(f"/items/{step.sku}")
        return ok() if page.status == 200 else unknown(page)

    def reserve(self, step: Step, ask: Ask) -> Judgement:
        order = {"item": step.sku, "count": step.qty, "note": step.client_ref, "once": step.key}
        body = json.dumps(order).encode()
        signature = hmac.new(SECRET, body, hashlib.sha256).hexdigest()
        page = ask("POST", "/orders", body=body, headers={"X-Signature": signature})
        match page.json:
            case {"result": "bought", "order": str(order_id), "total": str(total)}:
                return ok(order_id=order_id, amount=total)
            case {"result": "gone"}:
                return fail("sold_out")
        return unknown(page)
