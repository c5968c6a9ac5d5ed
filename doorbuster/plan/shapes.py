"""What may come on top of, or instead of, a phase's rate: burst, spike, peak, recorded series."""

import math
from collections.abc import Iterator
from typing import Annotated, Any, Final

from pydantic import Field, GetJsonSchemaHandler, ValidationInfo, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from doorbuster.curves import Curve, Joined, Linear, Reactions
from doorbuster.faults import Frozen
from doorbuster.plan.recorded import COUNT_MAX, folder_of, read_series
from doorbuster.quantities import Duration, Number, Rate, Share, Whole, duration_text, rate_text

REACTION_SIGMA: Final = 0.6
EARLY_BY_S: Final = 1.0
EARLY_SIGMA_S: Final = 0.5
"""Clocks of early clickers are wrong by this standard deviation, and by a second at most."""


class Burst(Frozen):
    """A crowd held at the door and let go at the phase's start.

    Args:
        spread: They come evenly within it.
        reaction: Instead of `spread`: people react, log-normally, around this median.
        early: The share whose clocks are fast; they come up to a second before the start.
    """

    visitors: Annotated[Whole, Field(ge=1, le=1_000_000)]
    spread: Duration | None = None
    reaction: Duration | None = None
    early: Share = 0.0

    @model_validator(mode="after")
    def _one_way(self) -> "Burst":
        if self.spread is not None and self.reaction is not None:
            raise ValueError("expected either `spread` or `reaction`, not both")
        if self.reaction == 0:
            raise ValueError("expected a `reaction` above 0s")
        return self

    @property
    def text(self) -> str:
        if self.reaction is not None:
            how = f"reacting within about {duration_text(self.reaction)}"
        else:
            how = f"within {duration_text(1.0 if self.spread is None else self.spread)}"
        early = f", {self.early_visitors:,} of them early" if self.early_visitors else ""
        return f"a burst of {self.visitors:,} {how}{early}"

    @property
    def early_visitors(self) -> int:
        return round(self.early * self.visitors)

    def crowd(self, lasts_s: float) -> Curve:
        """Return when those come who are not early, within a phase of `lasts_s`."""
        visitors = self.visitors - self.early_visitors
        if self.reaction is not None:
            return Reactions(visitors, self.reaction, REACTION_SIGMA, lasts_s)
        within_s = max(1e-9, min(1.0 if self.spread is None else self.spread, lasts_s))
        return Linear(visitors / within_s, visitors / within_s, within_s)


class Spike(Frozen):
    """The constant rate rises to a peak and falls back.

    Args:
        to: The peak as a rate.
        times: The peak as a multiple of the phase's rate, instead of `to`.
        after: How long after the phase's start the rise begins.
    """

    to: Rate | None = None
    times: Annotated[Number, Field(gt=1, le=10_000, allow_inf_nan=False)] | None = None
    after: Duration = 0.0
    rise: Duration = 1.0
    hold: Duration = 0.0
    fall: Duration = 1.0

    @model_validator(mode="after")
    def _one_peak(self) -> "Spike":
        if (self.to is None) == (self.times is None):
            raise ValueError("expected either `to` (a rate) or `times` (a multiple of the rate)")
        return self

    @property
    def text(self) -> str:
        peak = rate_text(self.to) if self.to is not None else f"{self.times:g} times that"
        return f"a spike to {peak}"

    @property
    def lasts_s(self) -> float:
        """From the phase's start to the end of its fall."""
        return self.after + self.rise + self.hold + self.fall

    def peak_per_s(self, rate: float) -> float:
        return rate * self.times if self.to is None and self.times else self.to or 0.0

    def over(self, rate: float, lasts_s: float) -> Curve:
        """Return the curve of a phase at `rate` with this spike in it."""
        peak = self.peak_per_s(rate)
        parts = (
            (rate, rate, self.after),
            (rate, peak, self.rise),
            (peak, peak, self.hold),
            (peak, rate, self.fall),
            (rate, rate, lasts_s - self.lasts_s),
        )
        return Joined([(Linear(*part), part[2]) for part in parts])


class Peak(Frozen):
    """A crowd that swells and ebbs over the whole phase: what has come is a smooth step."""

    visitors: Annotated[Whole, Field(ge=1, le=COUNT_MAX)]

    @property
    def text(self) -> str:
        return f"a peak of {self.visitors:,}"


class Series(Frozen):
    """A recorded series of arrivals, second by second, each second with exactly its count.

    Args:
        file: A CSV file of second,count, relative to the plan; a stored plan has its counts too.
        scale: A multiple of what was recorded; fractions carry over to the next second.
    """

    file: str | None = None
    counts: Annotated[tuple[Annotated[Whole, Field(ge=0, le=COUNT_MAX)], ...], Field(min_length=1)]
    scale: Annotated[Number, Field(gt=0, le=10_000, allow_inf_nan=False)] = 1.0

    @model_validator(mode="before")
    @classmethod
    def _read(cls, raw: Any, info: ValidationInfo) -> Any:
        wanted = {"file": raw} if isinstance(raw, str) else raw
        folder = folder_of(info)
        if not isinstance(wanted, dict) or folder is None or "file" not in wanted:
            return wanted
        if "counts" in wanted:
            raise ValueError("expected either `file` or `counts`, not both")
        return {**wanted, "counts": read_series(folder / str(wanted["file"]))}

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Say that a plan names a file, alone or with a scale, or has the counts itself."""
        whole = handler(core)
        keys = handler.resolve_ref_schema(whole)
        del keys["required"]
        keys["oneOf"] = [{"required": ["file"]}, {"required": ["counts"]}]
        return {"anyOf": [whole, {"type": "string"}]}

    @property
    def text(self) -> str:
        scaled = "" if self.scale == 1 else f" times {self.scale:g}"
        return f"the series {self.file or 'of the plan'}{scaled}"

    def come_by(self, lasts_s: float) -> Iterator[tuple[int, float, int]]:
        """Yield second, length and count of each second within `lasts_s`."""
        recorded, before = 0.0, 0
        for second, count in enumerate(self.counts[: math.ceil(lasts_s)]):
            length_s = min(1.0, lasts_s - second)
            recorded += count * self.scale * length_s
            yield second, length_s, round(recorded) - before
            before = round(recorded)
