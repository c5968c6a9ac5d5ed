"""The traffic of a plan: who arrives when, and how long they wait."""

import re
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, model_validator

from doorbuster.faults import Frozen
from doorbuster.plan.target import beside_plan
from doorbuster.quantities import Duration, rate_per_s, rate_text

Persona = Literal["patient", "refresher", "sniper", "abandoner", "decliner"]

DEFAULT_PERSONAS: Final[dict[Persona, int]] = {
    "patient": 60,
    "refresher": 25,
    "sniper": 10,
    "abandoner": 5,
}

WARMUP: Final = "warmup"
"""The name of what comes before the first phase; no phase can have it."""

_RAMP: Final = re.compile(r"\s*(\S+)\s*->\s*(\S+)\s*")


def _ramp(text: Any) -> tuple[float, float]:
    """Return the rates at a phase's start and end; a single rate is constant."""
    match = _RAMP.fullmatch(text) if isinstance(text, str) else None
    if match:
        return rate_per_s(match[1]), rate_per_s(match[2])
    constant = rate_per_s(text)
    return constant, constant


def _ramp_text(ramp: tuple[float, float]) -> str:
    start, end = ramp
    return rate_text(start) if start == end else f"{rate_text(start)} -> {rate_text(end)}"


Ramp = Annotated[tuple[float, float], BeforeValidator(_ramp), PlainSerializer(_ramp_text)]
"""Arrivals per second at a phase's start and end, written `40/s` or `40/s -> 10/s`."""


class Burst(Frozen):
    """A crowd held at the door and let go at the phase's start, within `spread`."""

    visitors: Annotated[int, Field(ge=1, le=1_000_000)]
    spread: Duration = 1.0


class Arrivals(Frozen):
    """One phase: its name, its length, and the arrival rate of sessions in it."""

    phase: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]*$")]
    lasts: Duration = Field(alias="for")
    rate: Ramp
    burst: Burst | None = None


def _some_weight(personas: dict[Persona, int]) -> dict[Persona, int]:
    if sum(personas.values()) <= 0:
        raise ValueError("expected at least one persona with a weight above 0")
    return personas


Personas = Annotated[
    dict[Persona, Annotated[int, Field(ge=0)]],
    AfterValidator(_some_weight),
]


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
    max_in_flight: Annotated[int, Field(ge=1, le=1_000_000)] = 2000
    max_lateness: Duration | None = None
    timeout: Annotated[Duration, Field(gt=0)] = 3.0
    connect_timeout: Annotated[Duration, Field(gt=0)] | None = None
    connections: Literal["per_shopper", "shared"] = "per_shopper"
    redirects: Annotated[int, Field(ge=0, le=10)] = 0
    ca_file: str | None = None
    patience: Duration = 8.0
    locustfile: Annotated[str, AfterValidator(beside_plan)] | None = None
    workers: Annotated[int, Field(ge=1, le=256)] = 1

    @model_validator(mode="after")
    def _some_for_each_worker(self) -> "Traffic":
        if self.workers > self.max_in_flight:
            raise ValueError(
                f"max_in_flight is {self.max_in_flight}: expected at least one session for each "
                f"of the {self.workers} workers"
            )
        return self
