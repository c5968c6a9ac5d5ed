"""Charge first, look for the units afterwards, and keep the money when there are none."""

from collections.abc import Sequence

from target_app.database.primary import Connection
from target_app.flaws.check_apart import TAKE
from target_app.orders.states import Status
from target_app.orders.transitions import Change, move
from target_app.payments.findings import Captured
from target_app.payments.settlement import book_capture
from target_app.reservations import Line, SoldOutError


async def claim_if_left(connection: Connection, lines: Sequence[Line]) -> None:
    for line in lines:
        if (
            await connection.fetchval(
                "SELECT available FROM stock WHERE sku = $1 FOR UPDATE", line.sku
            )
            < line.qty
        ):
            raise SoldOutError(line.sku)
        await connection.execute(TAKE, line.sku, line.qty)


async def book_or_cancel(
    change: Change, *, order_id: str, psp_key: str, capture: Captured
) -> Status | None:
    try:
        async with change.connection.transaction():
            return await book_capture(change, order_id=order_id, psp_key=psp_key, capture=capture)
    except SoldOutError:
        change.moves.clear()
        await change.connection.execute(
            "UPDATE payments SET state = 'captured' WHERE psp_key = $1", psp_key
        )
        status = Status.PAYMENT_PROCESSING
        await move(change, order_id, source=status, target=Status.PENDING_PAYMENT)
        await move(change, order_id, source=Status.PENDING_PAYMENT, target=Status.CANCELLED)
        return Status.CANCELLED
