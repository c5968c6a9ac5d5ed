"""Faults of connections, in Toxiproxy's words; `stream` is the way that data takes through them."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from doorbuster.faults.kind import Kind, cycle_beats_s
from doorbuster.quantities import ByteRate, Bytes, Duration, Share

Stream = Literal["upstream", "downstream"]


def above_zero(quantity: float) -> float:
    if quantity <= 0:
        raise ValueError("expected more than 0")
    return quantity


class Toxic(Kind):
    """What stands in the way of data.

    Args:
        stream: `downstream` is in the way of answers, `upstream` in that of requests. An answer
            that is late or lost is the harder truth: the request took effect, and nobody knows.
        share: The share of connections that it stands in.
    """

    stream: Stream = "downstream"
    share: Annotated[Share, AfterValidator(above_zero)] = 1.0


class Latency(Toxic):
    """Every chunk of data waits `delay`, plus or minus up to `jitter`."""

    delay: Duration
    jitter: Duration = 0.0


class Bandwidth(Toxic):
    """No more than `rate` passes on each connection."""

    rate: ByteRate


class Timeout(Toxic):
    """Data is swallowed; the connection closes after `after` without any, or never."""

    after: Duration = 0.0


class Blackhole(Kind):
    """Data of both ways is swallowed and nothing is closed, as when a cable is cut."""


class ResetPeer(Toxic):
    """The connection is reset `after` the first data."""

    after: Duration = 0.0


class SlowClose(Toxic):
    """A connection that one side has closed stays open to the other for `delay`."""

    delay: Annotated[Duration, AfterValidator(above_zero)]


class Slicer(Toxic):
    """Data arrives in pieces.

    Args:
        size: How long a piece is on average.
        variation: How much longer or shorter one may be.
        delay: How long each piece waits for the one before.
    """

    size: Annotated[Bytes, Field(ge=1)]
    variation: Bytes = 0
    delay: Duration = 0.0

    @model_validator(mode="after")
    def _smaller_variation(self) -> "Slicer":
        if self.variation >= self.size:
            raise ValueError(f"expected `variation` below `size` ({self.size}B)")
        return self


class LimitData(Toxic):
    """The connection closes when so much has passed."""

    bytes: Annotated[Bytes, Field(ge=1)]


class Down(Kind):
    """Connections are refused and open ones closed."""


class Flap(Kind):
    """The connection goes down and comes up, over and over, beginning with down."""

    down: Annotated[Duration, AfterValidator(above_zero)]
    up: Annotated[Duration, AfterValidator(above_zero)]

    def beats_s(self, lasts_s: float) -> tuple[float, ...]:
        return cycle_beats_s(self.down, self.up, lasts_s=lasts_s)


class Partition(Kind):
    """Nothing passes between one component and all the others; nothing is closed either."""
