"""What every part of a plan and every kind of fault has in common."""

from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator

from doorbuster.quantities import meant

MOMENT_S = 0.1
"""How long a fault lasts that happens at once and has nothing to lift."""


class Frozen(BaseModel):
    """A part of a plan: frozen, and no key that is not known."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _with_variables(cls, raw: Any) -> Any:
        """Read numbers that come from environment variables, which are texts."""
        if not isinstance(raw, dict):
            return raw
        wanted = {field.alias or name: field.annotation for name, field in cls.model_fields.items()}
        return {key: meant(value, wanted.get(key)) for key, value in raw.items()}


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
