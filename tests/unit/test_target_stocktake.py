from typing import Any

import pytest

from target_app.reservations.stocktake import Difference, differences

AGREED: dict[str, Any] = {
    "initial": 10,
    "adjusted": -1,
    "available": 4,
    "reserved": 3,
    "sold": 2,
    "orders_reserved": 3,
    "orders_sold": 2,
    "holds_active": 3,
    "holds_claimed": 2,
}


@pytest.mark.parametrize(
    ("changed", "in_redis", "found"),
    [
        ({}, None, []),
        ({}, 4, []),
        ({}, 5, [Difference("available", 4, "redis", 5)]),
        ({"available": 5}, None, [Difference("total", 10, "initial + adjusted", 9)]),
        ({"orders_sold": 3}, None, [Difference("sold", 2, "orders", 3)]),
        ({"orders_reserved": 0}, None, [Difference("reserved", 3, "orders", 0)]),
        ({"holds_active": 4}, None, [Difference("reserved", 3, "reservations", 4)]),
        ({"holds_claimed": 1}, None, [Difference("sold", 2, "reservations", 1)]),
    ],
)
def test_each_count_is_held_against_the_counter(
    changed: dict[str, Any], in_redis: int | None, found: list[Difference]
) -> None:
    assert list(differences(AGREED | changed, in_redis)) == found
