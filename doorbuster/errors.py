"""The errors that end a command, each with its exit code.

    DoorbusterError            4  the harness itself failed
    ├── PlanError              2  the plan or the usage is wrong
    ├── TargetNotReady         4  the system under test did not come up
    ├── MissingPrerequisite    4  a binary, port, permission or limit is missing on this machine
    ├── ToxiproxyError         4  the proxy's API refused, did not answer, or did not do as asked
    │   └── NotFound           4  it has no such proxy or toxic
    ├── FaultStuck             6  a fault could not be lifted
    └── LeftBehind             6  something of the run is still there after clean-up

A failing shop is never one of these: it is data in the run directory.
"""

from typing import ClassVar


class DoorbusterError(Exception):
    """The harness failed; the message says what to do."""

    exit_code: ClassVar[int] = 4


class PlanError(DoorbusterError):
    """The plan or the usage is wrong; the message has one line per mistake."""

    exit_code: ClassVar[int] = 2


class TargetNotReady(DoorbusterError):
    """The system under test did not come up; the message holds the last answer."""


class MissingPrerequisite(DoorbusterError):
    """This machine lacks something; the message says what to install, free or raise."""


class ToxiproxyError(DoorbusterError):
    """Toxiproxy refused or did not answer; the message has the call, its status and its words."""

    def __init__(self, message: str, *, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status
        """The HTTP status, or None if there was no answer."""


class NotFound(ToxiproxyError):
    """Toxiproxy has no such proxy or toxic."""


class FaultStuck(DoorbusterError):
    """A fault could not be lifted; the message names what to undo by hand."""

    exit_code: ClassVar[int] = 6


class LeftBehind(DoorbusterError):
    """Something of the run is still there; the message lists it."""

    exit_code: ClassVar[int] = 6


def said_by(error: Exception) -> str:
    """Return what an error says of itself: its kind, where it has no words (a timeout often)."""
    return str(error) or type(error).__name__
