"""What a plan's author can choose from, as JSON would have it."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from target_app.descriptions import Description
from target_app.known_flaws import FLAWS
from target_app.known_strategies import STRATEGIES


def described() -> dict[str, Any]:
    return {"strategies": _listed(STRATEGIES), "flaws": _listed(FLAWS)}


def _listed(table: Mapping[str, Description]) -> list[dict[str, Any]]:
    return [
        {
            "id": name,
            **asdict(entry),
            "seen_by": list(entry.seen_by),
            "needs": list(entry.needs),
            "replaces": sorted(entry.replaces),
        }
        for name, entry in table.items()
    ]
