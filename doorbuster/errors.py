"""The errors that end a command, each with its exit code.

    DoorbusterError            4  the harness itself failed
    ├── PlanError              2  the plan or the usage is wrong
    ├── TargetNotReady         4  the system under test did not come up
    ├── MissingPrerequisite    4  a binary, port, permission or limit is missing on this machine
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


class FaultStuck(DoorbusterError):
    """A fault could not be lifted; the message names what to undo by hand."""

    exit_code: ClassVar[int] = 6


class LeftBehind(DoorbusterError):
    """Something of the run is still there; the message lists it."""

    exit_code: ClassVar[int] = 6
