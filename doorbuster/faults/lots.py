"""What a fault by chance is drawn with, what it needs for itself, and how a plan would say it."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from doorbuster.faults.kind import MOMENT_S
from doorbuster.faults.provider import MODES
from doorbuster.faults.table import TOUCHED_BY
from doorbuster.quantities import duration_text

BACK_AFTER_S: Final = 2.0
"""From a failover's end, when the standby takes over, to the failback that has to follow it."""

CAUGHT_UP_S: Final = 2.0
"""How long before a failover nothing else may have held the standby up.

One that has not caught up would lose what was confirmed, and nobody could say whose fault it was.
"""

GRACE: Final = "2s"
"""How long a restart waits for a good end; no longer, for meanwhile no other fault is lifted."""


@dataclass(frozen=True)
class Ground:
    """What of a shop faults by chance have to know.

    Args:
        items: The SKUs of each item of the sale, for locks.
        replicas: How many storefronts there are, for rolling restarts.
    """

    items: Sequence[Sequence[str]]
    replicas: int


@dataclass(frozen=True)
class Drawn:
    """One fault by chance, in seconds from the stretch's begin; a failover has its way back."""

    kind: str
    on: str
    begins_s: float
    lasts_s: float
    settings: dict[str, Any]

    @property
    def ends_s(self) -> float:
        back_s = BACK_AFTER_S + MOMENT_S if self.kind == "failover" else 0.0
        return self.begins_s + self.lasts_s + back_s

    @property
    def needs(self) -> set[str]:
        """The parts that no other fault may be on at the same time."""
        if self.kind == "lock":
            # Whoever is held up in the middle of a transaction keeps the rows himself.
            return {"postgres", "replication", "storefront"}
        if self.kind == "failover":
            return {"postgres", "replication"}
        if self.kind == "partition":
            # What is cut off shows nothing of what else is done to it.
            return {part_of(self.on), *map(part_of, TOUCHED_BY[self.on])}
        return {part_of(self.on)}

    def bears(self, other: "Drawn") -> bool:
        """Say whether it can go on with one that began before."""
        quiet_s = CAUGHT_UP_S if self.kind == "failover" else 0.0
        over = other.ends_s + quiet_s <= self.begins_s
        return over or not self.needs & other.needs

    def lines(self, number: int) -> list[dict[str, Any]]:
        """Return its faults as a plan says them, but for `at`: that is in seconds."""
        line: dict[str, Any] = {"at": self.begins_s, "on": self.on, "name": self._name(number)}
        match self.kind:
            case "restart":
                down = duration_text(self.lasts_s)
                return [{**line, "restart": {**self.settings, "down": down}}]
            case "flush":
                return [{**line, "flush": {}}]
            case "failover":
                back_s = self.begins_s + self.lasts_s + BACK_AFTER_S
                back = {"at": back_s, "on": self.on, "name": self._name(number, "failback")}
                detection = {"detection": duration_text(self.lasts_s)}
                return [{**line, "failover": detection}, {**back, "failback": {}}]
        return [{**line, "for": duration_text(self.lasts_s), self.kind: self.settings}]

    def _name(self, number: int, kind: str | None = None) -> str:
        return f"random {number}: {self.on} {kind or self.kind}"


def part_of(component: str) -> str:
    """Return what a component shares processes with: `storefront` of `storefront-1`."""
    return component.split("-", maxsplit=1)[0]


def draw_settings(
    kind: str, chance: random.Random, *, lasts_s: float, ground: Ground
) -> dict[str, Any]:
    """Return the settings of one fault of a kind, within what a shop can come back from."""
    if kind == "lock":
        return {"sku": chance.choice(chance.choice(ground.items))}
    if kind == "rolling":
        return {"every": duration_text(lasts_s / ground.replicas), "grace": GRACE}
    return _SETTINGS[kind](chance) if kind in _SETTINGS else {}


def _between(shortest_ms: int, longest_ms: int, chance: random.Random) -> str:
    return f"{chance.randint(shortest_ms, longest_ms)}ms"


_SETTINGS: Final[dict[str, Callable[[random.Random], dict[str, Any]]]] = {
    "latency": lambda chance: {"delay": _between(50, 1000, chance)},
    "bandwidth": lambda chance: {"rate": f"{chance.randint(4, 64)}KB/s"},
    "slow_close": lambda chance: {"delay": _between(100, 1000, chance)},
    "slicer": lambda chance: {"size": f"{chance.randint(50, 500)}B", "delay": "10ms"},
    "limit_data": lambda chance: {"bytes": f"{chance.randint(100, 20_000)}B"},
    "flap": lambda chance: {"down": _between(100, 500, chance), "up": _between(100, 1000, chance)},
    "restart": lambda _: {"grace": GRACE},
    "crash_loop": lambda chance: {
        "down": _between(100, 1000, chance),
        "up": _between(500, 2000, chance),
    },
    "hog": lambda chance: {"cores": chance.randint(1, 2)},
    "lag": lambda chance: {"delay": _between(500, 10_000, chance)},
    "connections": lambda chance: {"left": chance.randint(0, 5)},
    "respond": lambda chance: {"mode": chance.choice(MODES), "share": "50%"},
}
"""What kinds are drawn with; those that are not here have nothing to draw."""
