"""Faults of processes: of a component with all that descends from it."""

from typing import Annotated

from pydantic import AfterValidator, Field

from doorbuster.faults.kind import MOMENT_S, Kind, cycle_beats_s
from doorbuster.faults.network import above_zero
from doorbuster.quantities import Duration, Whole


class Kill(Kind):
    """The processes end at once, as in a crash; they start again at the fault's end."""

    restart_after: Duration | None = None

    @property
    def ends_after_s(self) -> float | None:
        return self.restart_after


class Pause(Kind):
    """The processes stop without closing anything; they go on at the fault's end."""


class Restart(Kind):
    """The processes are asked to end, as by a deployment, and started again.

    Args:
        grace: How long they may take; then they are ended at once.
        down: How long it takes from their end to their start.
    """

    grace: Duration = 10.0
    down: Annotated[Duration, AfterValidator(above_zero)] = MOMENT_S

    @property
    def ends_after_s(self) -> float:
        return self.down


class Rolling(Kind):
    """The replicas are restarted one after the other, so that the others can serve.

    Args:
        every: The time from one replica's restart to the next one's.
        grace: How long a replica may take to end; then it is ended at once.
    """

    every: Annotated[Duration, AfterValidator(above_zero)] = 3.0
    grace: Duration = 10.0

    def beats_s(self, lasts_s: float) -> tuple[float, ...]:
        return cycle_beats_s(self.every, lasts_s=lasts_s)


class CrashLoop(Kind):
    """The processes crash, come up, and crash again, over and over.

    Args:
        down: How long it takes until they are started again.
        up: The time from one start to the next crash; coming up counts.
    """

    down: Annotated[Duration, AfterValidator(above_zero)]
    up: Annotated[Duration, AfterValidator(above_zero)]

    def beats_s(self, lasts_s: float) -> tuple[float, ...]:
        return cycle_beats_s(self.down, self.up, lasts_s=lasts_s)


class Hog(Kind):
    """Busy processes beside it want the processors that it needs."""

    cores: Annotated[Whole, Field(ge=1, le=64)] = 1
