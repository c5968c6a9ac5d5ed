"""Combinations of settings that are each in order and together are not."""

import pytest

from target_app.settings import SettingsError
from tests.unit.test_target_settings import storefront


@pytest.mark.parametrize(
    ("unsafe", "complaint"),
    [
        ({"HOLD_S": "2", "PROVIDER_TIMEOUT_S": "2"}, "PROVIDER_TIMEOUT_S: .*outlast its hold of 2"),
        ({"OPS_TOKEN": "same", "WEBHOOK_SECRET": "same"}, "WEBHOOK_SECRET: .*would be an operator"),
        ({"QUEUE_PATIENCE_S": "1.5"}, "QUEUE_PATIENCE_S: .*less than 1.5"),
        ({"WAITING_ROOM_RATE": "5"}, "WAITING_ROOM_ACTIVE: .*give both or neither"),
        ({"WAITING_ROOM_ACTIVE": "5"}, "WAITING_ROOM_ACTIVE: .*give both or neither"),
        (
            {"WAITING_ROOM_ACTIVE": "5", "WAITING_ROOM_RATE": "5"},
            "WAITING_ROOM_ACTIVE: .*say where that is",
        ),
        ({"MAX_CHECKOUTS": "0"}, "MAX_CHECKOUTS: .*greater than or equal to 1"),
    ],
)
def test_unsafe_combinations_are_refused(unsafe: dict[str, str], complaint: str) -> None:
    with pytest.raises(SettingsError, match=f"^STOREFRONT_{complaint}"):
        storefront(**unsafe)


def test_the_shortest_safe_hold() -> None:
    assert storefront(HOLD_S="2.1", PROVIDER_TIMEOUT_S="2").provider_timeout_s == 2
