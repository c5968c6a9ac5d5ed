"""Combinations of settings that are each in order and together are not."""

import pytest

from target_app.settings import SettingsError
from tests.unit.test_target_settings import storefront

OWN = "a secret of its own"
LASTING = ["HOLD_S", "SESSION_TTL_S", "QUOTE_TTL_S", "WAITING_ROOM_LEASE_S"]


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
        (
            {"OPS_TOKEN": OWN, "SESSION_SECRET": OWN},
            "SESSION_SECRET: .*take another than OPS_TOKEN",
        ),
        (
            {"WEBHOOK_SECRET": OWN, "SESSION_SECRET": OWN},
            "SESSION_SECRET: .*take another than WEBHOOK_SECRET",
        ),
        ({"FLAWS": "W12,W18"}, "FLAWS: .*W12 and W18 both replace check_out: take one"),
        ({"FLAWS": "P1,W13,P4"}, "FLAWS: .*P1 and P4 both replace charge: take one"),
        ({"POOL_SIZE": "1"}, "POOL_SIZE: .*greater than or equal to 2"),
        ({"MAX_CHECKOUTS": "0"}, "MAX_CHECKOUTS: .*greater than or equal to 1"),
    ],
)
def test_unsafe_combinations_are_refused(unsafe: dict[str, str], complaint: str) -> None:
    with pytest.raises(SettingsError, match=f"^STOREFRONT_{complaint}"):
        storefront(**unsafe)


@pytest.mark.parametrize("name", LASTING)
def test_nothing_lasts_for_ever(name: str) -> None:
    assert storefront(**{name: "2592000"})
    for unsafe, complaint in [
        ("2592001", "less than or equal to 2592000"),
        ("inf", "finite number"),
        ("nan", "finite number"),
    ]:
        with pytest.raises(SettingsError, match=f"^STOREFRONT_{name}: .*{complaint}"):
            storefront(**{name: unsafe})


def test_the_provider_cannot_sign_sessions_nor_can_an_operator() -> None:
    """Whoever knows one of the two secrets alone cannot tell what follows from both."""
    derived = storefront(OPS_TOKEN="one", WEBHOOK_SECRET="two").signing_secret
    assert derived == storefront(OPS_TOKEN="one", WEBHOOK_SECRET="two").signing_secret
    assert derived != storefront(OPS_TOKEN="other", WEBHOOK_SECRET="two").signing_secret
    assert derived != storefront(OPS_TOKEN="one", WEBHOOK_SECRET="other").signing_secret
    assert storefront(SESSION_SECRET=OWN).signing_secret == OWN


def test_the_shortest_safe_hold() -> None:
    assert storefront(HOLD_S="2.1", PROVIDER_TIMEOUT_S="2").provider_timeout_s == 2
