"""Faults of Postgres, a primary and its standby."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from doorbuster.faults.kind import MOMENT_S, Kind
from doorbuster.faults.network import above_zero
from doorbuster.quantities import Duration, Flag, Whole


class Failover(Kind):
    """The primary database is lost and the standby takes over.

    Args:
        detection: How long it takes until anything is done about it.
        fence: Shut the old primary's proxies before promoting, so that it cannot take writes.
        lose: `machine` cuts replication in the instant before the kill, so that what was under
            way to the standby is lost as it would be with the machine.
        by: `pause` stops the primary instead of killing it, and lets it go on once the standby
            has taken over, so that there are two who think they are primary.
    """

    detection: Duration = 3.0
    fence: Flag = True
    lose: Literal["process", "machine"] = "process"
    by: Literal["kill", "pause"] = "kill"

    @property
    def ends_after_s(self) -> float:
        return self.detection


class Failback(Kind):
    """After a failover: the old primary follows the new one, and then takes its role back.

    The copying begins with the fault and disturbs nobody; the change of roles is its end.
    """

    @property
    def ends_after_s(self) -> float:
        return MOMENT_S


class Lag(Kind):
    """The standby applies what it receives only `delay` later."""

    delay: Annotated[Duration, AfterValidator(above_zero)]


class Lock(Kind):
    """A transaction holds the stock of `sku` and does not end."""

    sku: str


class Connections(Kind):
    """The server has no connection slots for the shop but `left`; the shop loses its others."""

    left: Annotated[Whole, Field(ge=0, le=1000)] = 0


class Restore(Kind):
    """Both servers' data is lost and comes back from a base backup taken at the fault's begin.

    What was confirmed between begin and end is lost; the checks say how much that was.
    """
