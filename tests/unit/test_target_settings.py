import pytest

from target_app.settings import ProviderSettings, SettingsError, StorefrontSettings

NEEDED = {
    "STOREFRONT_DATABASES": "postgresql://shop@127.0.0.1:1/shop, postgresql://shop@127.0.0.1:2/shop",
    "STOREFRONT_PROVIDER_URL": "http://127.0.0.1:3",
    "STOREFRONT_OPS_TOKEN": "ops",
    "STOREFRONT_WEBHOOK_SECRET": "secret",
}


def storefront(**other: str) -> StorefrontSettings:
    environment = NEEDED | {f"STOREFRONT_{name}": value for name, value in other.items()}
    return StorefrontSettings.from_environment(environment, prefix="STOREFRONT_")


def test_defaults_and_order_of_nodes() -> None:
    settings = storefront()
    assert [dsn[-6:] for dsn in settings.databases] == ["1/shop", "2/shop"]
    assert (settings.reservation, settings.flaws) == ("conditional_update", ())
    assert (settings.hold_s, settings.pool_size, settings.provider_timeout_s) == (600, 20, 2)


def test_values_are_read() -> None:
    settings = storefront(RESERVATION="naive", HOLD_S="15", POOL_SIZE="3", FLAWS="")
    assert (settings.reservation, settings.hold_s, settings.pool_size) == ("naive", 15, 3)


@pytest.mark.parametrize(
    ("name", "value", "complaint"),
    [
        ("RESERVATION", "hopeful", "expected one of conditional_update, row_lock"),
        ("FLAWS", "P99", "expected any of W2, W3, W5"),
        ("HOLD_S", "0", "greater than 0"),
        ("POOL_SIZE", "many", "valid integer"),
        ("DATABASES", "mysql://x", "expected postgresql://..., got 'mysql://x'"),
        ("OPS_TOKEN", "", "at least 1 character"),
        ("HODL_S", "5", "not permitted"),
    ],
)
def test_what_is_wrong_is_named(name: str, value: str, complaint: str) -> None:
    with pytest.raises(SettingsError) as raised:
        storefront(**{name: value})
    assert str(raised.value).startswith(f"STOREFRONT_{name}: ")
    assert complaint in str(raised.value)


def test_the_provider_needs_its_store() -> None:
    with pytest.raises(SettingsError, match="PROVIDER_STORE: Field required"):
        ProviderSettings.from_environment({}, prefix="PROVIDER_")
