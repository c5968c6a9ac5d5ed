"""The reference shop with a line before its checkout: its adapter, and what that adds to it."""

from importlib import resources
from typing import Any

from ruamel.yaml import YAML

from scenarios.adapter import Adapter, told_in


def adapter_with_line() -> Adapter:
    """Return the reference shop's adapter for plans that put a waiting room before the checkout."""
    folder = resources.files("scenarios") / "adapters"
    reference, line = (
        YAML(typ="safe", pure=True).load((folder / name).read_text(encoding="utf-8"))
        for name in ("reference.yaml", "line.yaml")
    )
    whole = _both(reference, line)
    return Adapter.model_validate(whole, context={"told": told_in(whole)})


def _both(one: Any, other: Any) -> Any:
    """Return mappings with the entries of both, and lists one after the other."""
    if isinstance(one, dict) and isinstance(other, dict):
        common = {key: _both(one[key], value) for key, value in other.items() if key in one}
        return one | other | common
    assert isinstance(one, list), "only mappings and lists are added to"
    return [*one, *other]
