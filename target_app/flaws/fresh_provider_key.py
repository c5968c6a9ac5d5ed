"""Take silence for a no, and try again under a new key.

The first charge may have been made: the provider cannot know that the second is meant to be the
same one, and takes the money twice. Nor can the shop, for which an order that is paid is paid.
"""

import secrets
from dataclasses import replace

from target_app.orders.states import OWING, Status
from target_app.orders.transitions import Change
from target_app.payments.findings import Captured, Charge, ChargeFinding, Unknown
from target_app.payments.provider_client import ProviderClient
from target_app.payments.settlement import book_capture

TRIES = 2
STATUS = "SELECT status FROM orders WHERE order_id = $1 FOR UPDATE"
DONE = "UPDATE payments SET state = 'captured', psp_ref = $2 WHERE psp_key = $1"


async def charge(provider: ProviderClient, intent: Charge) -> ChargeFinding:
    finding: ChargeFinding = Unknown("not asked")
    for _ in range(TRIES):
        fresh = replace(intent, psp_key=f"{intent.psp_key}:{secrets.token_hex(4)}")
        finding = await provider.charge(fresh)
        if not isinstance(finding, Unknown):
            break
    return finding


async def book_first(
    change: Change, *, order_id: str, psp_key: str, capture: Captured
) -> Status | None:
    status = await change.connection.fetchval(STATUS, order_id)
    if status in OWING:
        await change.connection.execute(DONE, psp_key, capture.psp_ref)
        return Status(status)
    return await book_capture(change, order_id=order_id, psp_key=psp_key, capture=capture)
