from dataclasses import fields
from typing import Any

import pytest

from reports import checks
from target_app.acts import Acts, correct_acts
from target_app.describing import described
from target_app.flaws.table import PLANTS
from target_app.known_flaws import FLAWS
from target_app.settings import SettingsError, StorefrontSettings
from target_app.strategies import CONDITIONAL_UPDATE, STRATEGIES, reservations_of

NEEDED = {
    "STOREFRONT_DATABASES": "postgresql://shop@127.0.0.1:1/shop",
    "STOREFRONT_PROVIDER_URL": "http://127.0.0.1:3",
    "STOREFRONT_OPS_TOKEN": "ops",
    "STOREFRONT_WEBHOOK_SECRET": "secret",
}
ON_REDIS = [name for name, (description, _) in STRATEGIES.items() if "redis" in description.needs]


def settings(**other: str) -> StorefrontSettings:
    environment = NEEDED | {f"STOREFRONT_{name}": value for name, value in other.items()}
    return StorefrontSettings.from_environment(environment, prefix="STOREFRONT_")


@pytest.mark.parametrize("name", STRATEGIES)
def test_a_wrong_strategy_names_checks_that_exist_and_a_correct_one_none(name: str) -> None:
    description, _acts = STRATEGIES[name]
    assert bool(description.seen_by) is not description.correct
    for check in description.seen_by:
        assert callable(getattr(checks, check))


def test_the_description_says_what_the_stack_must_have() -> None:
    needs = {entry["id"]: entry["needs"] for entry in described()["strategies"]}
    assert needs["conditional_update"] == []
    assert {name for name, needed in needs.items() if needed == ["redis"]} == set(ON_REDIS)
    assert "redis_gate" in ON_REDIS


@pytest.mark.parametrize("name", ON_REDIS)
def test_a_strategy_on_redis_is_refused_without_one(name: str) -> None:
    with pytest.raises(SettingsError) as raised:
        settings(RESERVATION=name)
    assert str(raised.value).startswith("STOREFRONT_REDIS_URL: ")
    assert f"the reservation {name} needs Redis" in str(raised.value)
    assert settings(RESERVATION=name, REDIS_URL="redis://127.0.0.1:1/0").reservation == name
    with pytest.raises(ValueError, match=f"{name} needs Redis"):
        reservations_of(name, None)


def test_an_unknown_strategy_is_the_only_complaint() -> None:
    with pytest.raises(SettingsError) as raised:
        settings(RESERVATION="hopeful")
    assert "REDIS" not in str(raised.value)


def acts_of(acts: Acts) -> dict[str, Any]:
    flat = {field.name: getattr(acts, field.name) for field in fields(acts)}
    stock = flat.pop("reservations")
    return flat | {field.name: getattr(stock, field.name) for field in fields(stock)}


@pytest.mark.parametrize("name", FLAWS)
def test_a_flaw_says_which_acts_it_replaces(name: str) -> None:
    """All but the jobs, of which each flaw leaves those that others have added or taken away."""
    correct = correct_acts(CONDITIONAL_UPDATE)
    flawed = acts_of(PLANTS[name](correct, settings()))
    replaced = {act for act, done in acts_of(correct).items() if flawed[act] is not done}
    assert FLAWS[name].replaces == replaced - {"jobs"}
