"""Set the stock, every now and then, to what the warehouse said it was a moment ago.

The figure is right when it is exported. Until it is imported the shop goes on selling, and then
those sales have never happened.
"""

import asyncio

from target_app.database.primary import Connection

EXPORT = "SELECT sku, available FROM stock ORDER BY sku"
IMPORT = """
UPDATE stock SET available = file.available
FROM unnest($1::text[], $2::bigint[]) AS file (sku, available) WHERE stock.sku = file.sku
"""
TRANSFER_S = 0.3


async def upkeep(connection: Connection) -> None:
    file = await connection.fetch(EXPORT)
    await asyncio.sleep(TRANSFER_S)
    await connection.execute(
        IMPORT, [row["sku"] for row in file], [row["available"] for row in file]
    )
