"""Faults that commands of the plan's author begin and end, on anything."""

from typing import Annotated

from pydantic import AfterValidator, Field

from doorbuster.faults.kind import Kind
from doorbuster.faults.network import above_zero
from doorbuster.quantities import Duration

Command = Annotated[tuple[str, ...], Field(min_length=1)]


class Hooks(Kind):
    """Commands, each a list of words that no shell reads.

    Args:
        begin: Begins the fault; it has begun when this ends with 0.
        end: Lifts it, whatever happened, also if `begin` failed.
        verify: Ends with 0 while the fault acts and with 1 when it does not; it is asked after
            `begin` and after `end`.
        bound: How long each command may take; then it is ended at once and has failed.
    """

    begin: Command
    end: Command
    verify: Command | None = None
    bound: Annotated[Duration, AfterValidator(above_zero)] = 10.0
