"""Faults of Redis that are not those of any process."""

from doorbuster.faults.kind import MOMENT_S, Kind


class Flush(Kind):
    """Everything in it is gone in an instant."""

    @property
    def ends_after_s(self) -> float:
        return MOMENT_S
