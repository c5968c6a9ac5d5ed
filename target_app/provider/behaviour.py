"""How the provider behaves now: normally, slowly, or capturing and never saying so."""

import random
from enum import StrEnum
from typing import Annotated

import msgspec


class Mode(StrEnum):
    """What an affected charge meets.

    `slow` answers after a delay; `timeout_after_capture` takes the money and never answers.
    """

    NORMAL = "normal"
    SLOW = "slow"
    TIMEOUT_AFTER_CAPTURE = "timeout_after_capture"


class Behaviour(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which charges are affected, and how.

    Attributes:
        share: Part of the charges, drawn by seed and key, so the same run meets the same fate.
        first: Only so many charges from the moment this was set.
        delay_s: How long a slow answer takes.
    """

    mode: Mode = Mode.NORMAL
    share: Annotated[float, msgspec.Meta(ge=0, le=1)] | None = None
    first: Annotated[int, msgspec.Meta(ge=1)] | None = None
    delay_s: Annotated[float, msgspec.Meta(ge=0)] = 2.0
    seed: int = 0


def mode_for(behaviour: Behaviour, *, key: str, charges_before: int) -> Mode:
    """Return what the charge under `key` meets; `charges_before` is counted since the setting."""
    if behaviour.first is not None and charges_before >= behaviour.first:
        return Mode.NORMAL
    if behaviour.share is not None and _draw(behaviour.seed, key) >= behaviour.share:
        return Mode.NORMAL
    return behaviour.mode


def _draw(seed: int, key: str) -> float:
    return random.Random(f"{seed}:{key}").random()
