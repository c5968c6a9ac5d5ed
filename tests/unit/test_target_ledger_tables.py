"""The shop's export and the records it is read with name the same tables and the same columns."""

import pytest
from msgspec.structs import fields

from doorbuster.ledger import LEDGER_TABLES
from target_app.web.ledger import TABLES


def test_every_table_of_the_export_can_be_read() -> None:
    assert set(TABLES) == set(LEDGER_TABLES)


@pytest.mark.parametrize("table", LEDGER_TABLES)
def test_every_column_of_a_record_is_exported(table: str) -> None:
    columns, _ordering = TABLES[table]
    assert set(columns.split(", ")) == {field.name for field in fields(LEDGER_TABLES[table])}
