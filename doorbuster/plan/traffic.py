"""The traffic of a plan: who arrives when, and how long they wait."""

from functools import cached_property
from itertools import accumulate, pairwise
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field, model_validator

from doorbuster.faults import Frozen
from doorbuster.plan.people import (
    DEFAULT_CHANNELS,
    DEFAULT_PERSONAS,
    Channels,
    Data,
    Personas,
)
from doorbuster.plan.phases import Arrivals
from doorbuster.plan.shapes import EARLY_BY_S
from doorbuster.plan.target import beside_plan
from doorbuster.plan.together import Doubled, Rendezvous
from doorbuster.quantities import Duration, Whole

WARMUP: Final = "warmup"
"""The name of what comes before the first phase; no phase can have it."""

ARRIVALS_MAX: Final = 20_000_000


def _phases_once(arrivals: tuple[Arrivals, ...]) -> tuple[Arrivals, ...]:
    names = [phase.phase for phase in arrivals]
    if len(set(names)) < len(names):
        raise ValueError(f"phase named twice: expected different names, got {', '.join(names)}")
    if WARMUP in names:
        raise ValueError(f"`{WARMUP}` is what comes before the first phase: expected another name")
    if any(phase.lasts <= 0 for phase in arrivals):
        raise ValueError("expected every phase to last longer than 0s")
    return arrivals


class Traffic(Frozen):
    """Arrivals phase by phase, and the shoppers' patience.

    Args:
        warmup: Traffic before the first phase, at its starting rate; not measured.
        spacing: Gaps between arrivals: `poisson` (random, the count exact) or `even`.
        personas: Relative weights.
        channels: Relative weights of where shoppers come from, such as web or app.
        data: Users of one's own, for adapters to fill in as `{user.COLUMN}`.
        rendezvous: Steps that all who reach them take at one instant.
        doubled: Steps whose request is sent twice.
        max_in_flight: Sessions at once in the generator; above it arrivals are missed.
        max_lateness: The p99 of lateness per phase above which its figures are unknown.
        timeout: How long a shopper's app waits for one answer, connecting included.
        connect_timeout: How long it waits for a connection; `timeout` where that is shorter.
        connections: Kept for the visit (`per_shopper`), or between all shoppers (`shared`), as
            behind a gateway.
        redirects: How many redirects the app follows, within the allow-list, before an answer
            counts; with 0 the adapter judges the redirect itself.
        ca_file: Certificates in PEM to trust instead of the system's or those in SSL_CERT_FILE.
        locustfile: A plain Locust file whose users arrive instead of personas.
        patience: How long a shopper goes on with one operation, retries and polling included.
        workers: Generator processes that share the arrivals and `max_in_flight` between them.
    """

    arrivals: Annotated[
        tuple[Arrivals, ...], Field(min_length=1, max_length=100), AfterValidator(_phases_once)
    ]
    warmup: Duration = 3.0
    spacing: Literal["poisson", "even"] = "poisson"
    personas: Personas = Field(default_factory=lambda: dict(DEFAULT_PERSONAS))
    channels: Channels = Field(default_factory=lambda: dict(DEFAULT_CHANNELS))
    data: Data | None = None
    rendezvous: Annotated[tuple[Rendezvous, ...], Field(max_length=20)] = ()
    doubled: Annotated[tuple[Doubled, ...], Field(max_length=20)] = ()
    max_in_flight: Annotated[Whole, Field(ge=1, le=1_000_000)] = 2000
    max_lateness: Duration | None = None
    timeout: Annotated[Duration, Field(gt=0)] = 3.0
    connect_timeout: Annotated[Duration, Field(gt=0)] | None = None
    connections: Literal["per_shopper", "shared"] = "per_shopper"
    redirects: Annotated[Whole, Field(ge=0, le=10)] = 0
    ca_file: Annotated[str, AfterValidator(beside_plan)] | None = None
    patience: Duration = 8.0
    locustfile: Annotated[str, AfterValidator(beside_plan)] | None = None
    workers: Annotated[Whole, Field(ge=1, le=256)] = 1

    @model_validator(mode="after")
    def _some_for_each_worker(self) -> "Traffic":
        if self.workers > self.max_in_flight:
            raise ValueError(
                f"max_in_flight is {self.max_in_flight}: expected at least one session for each "
                f"of the {self.workers} workers"
            )
        return self

    @model_validator(mode="after")
    def _room_for_the_early(self) -> "Traffic":
        before, before_s = WARMUP, self.warmup
        for phase in self.arrivals:
            if phase.early_visitors and before_s < EARLY_BY_S:
                raise ValueError(
                    f"who is early for {phase.phase!r} comes up to {EARLY_BY_S:g} s before: "
                    f"expected {before!r} to last at least that"
                )
            before, before_s = phase.phase, phase.lasts
        return self

    @model_validator(mode="after")
    def _within_reason(self) -> "Traffic":
        total = sum(self.counts.values())
        if total > ARRIVALS_MAX:
            raise ValueError(f"{total:,} arrivals, expected at most {ARRIVALS_MAX:,}")
        return self

    @model_validator(mode="after")
    def _a_user_for_everybody(self) -> "Traffic":
        total = sum(self.counts.values())
        if self.data and self.data.take == "once" and self.data.rows < total:
            raise ValueError(
                f"{self.data.users} has {self.data.rows:,} users and {total:,} arrive, warm-up "
                "included: expected a user for each, or `take: cycle`"
            )
        return self

    @property
    def warmup_phase(self) -> Arrivals | None:
        """What comes before the first phase, at the rate of its start."""
        rate = self.arrivals[0].first_rate
        if not self.warmup:
            return None
        return Arrivals.model_construct(phase=WARMUP, lasts=self.warmup, rate=(rate, rate))

    @cached_property
    def phase_starts_s(self) -> dict[str, float]:
        """Second at which each phase starts, in order; the first starts at 0."""
        starts_s = accumulate((phase.lasts for phase in self.arrivals), initial=0.0)
        names = [phase.phase for phase in self.arrivals]
        return dict(zip(names, starts_s, strict=False))

    @property
    def sessions(self) -> int:
        """How many sessions the phases begin, warm-up left out."""
        return sum(self.counts[phase.phase] for phase in self.arrivals)

    @cached_property
    def counts(self) -> dict[str, int]:
        """How many arrivals are due in each phase, the warm-up included if there is one.

        Who comes early for a phase is due in the one before.
        """
        warmup = self.warmup_phase
        phases = (warmup, *self.arrivals) if warmup else self.arrivals
        counts = {phase.phase: phase.count for phase in phases}
        for before, phase in pairwise(phases):
            counts[before.phase] += phase.early_visitors
            counts[phase.phase] -= phase.early_visitors
        return counts
