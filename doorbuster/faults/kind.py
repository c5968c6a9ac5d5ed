"""What every part of a plan and every kind of fault has in common."""

from pydantic import BaseModel, ConfigDict

MOMENT_S = 0.1
"""How long a fault lasts that happens at once and has nothing to lift."""


class Frozen(BaseModel):
    """A part of a plan: frozen, and no key that is not known."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Kind(Frozen):
    """A kind of fault with its settings; by itself it lasts as long as the plan's `for` says."""

    @property
    def ends_after_s(self) -> float | None:
        """Seconds after which a fault that ends by itself begins to be lifted."""
        return None

    def beats_s(self, lasts_s: float) -> tuple[float, ...]:
        """Return when, in seconds from its begin, a fault of `lasts_s` acts again."""
        assert lasts_s > 0
        return ()


def cycle_beats_s(*steps_s: float, lasts_s: float) -> tuple[float, ...]:
    """Return the moments before `lasts_s` that follow each other in these steps, over and over."""
    beats: list[float] = []
    at_s = 0.0
    while True:
        for step_s in steps_s:
            at_s += step_s
            if at_s >= lasts_s:
                return tuple(beats)
            beats.append(round(at_s, 6))
