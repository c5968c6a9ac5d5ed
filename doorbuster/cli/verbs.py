"""The verbs of the `doorbuster` command, each imported only when it is asked for.

What a rehearsal needs (charts, database drivers, statistics) takes seconds to import, and most
verbs need none of it.
"""

from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final

import typer
from typer.core import TyperCommand, TyperGroup

from doorbuster.verdicts import EXIT_CODES

EPILOG: Final = "Exit codes: " + " · ".join(f"{code} {what}" for code, what in EXIT_CODES.items())


@dataclass(frozen=True)
class Verb:
    """One verb: the module of this folder that has its function, and its line in the list.

    Args:
        judges: It ends with the exit code of a verdict, so its help explains them.
    """

    module: str
    summary: str
    judges: bool = False

    def command(self, name: str) -> Any:
        """Return the command itself, which imports what it needs."""
        module = import_module(f"doorbuster.cli.{self.module}")
        alone = typer.Typer(
            add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False
        )
        alone.command(name, epilog=EPILOG if self.judges else None)(getattr(module, name))
        return typer.main.get_command(alone)


VERBS: Final = {
    "rehearse": Verb("rehearse", "Rehearse a sale: shop, crowd, faults, report.", judges=True),
    "capacity": Verb("capacity", "Find how many sessions a second it takes.", judges=True),
    "doctor": Verb("doctor", "Say what this machine has and lacks."),
    "up": Verb("up", "Start a plan's stack and wait, to look around in."),
    "worker": Verb("worker", "Send a share of another machine's traffic."),
    "report": Verb("results", "Write the report of a run again.", judges=True),
    "check": Verb("results", "Judge a run again and write nothing.", judges=True),
    "journal": Verb("runs", "Print what happened in a run and when."),
    "note": Verb("people", "Note what you see, into the run that goes on."),
    "act": Verb("people", "Record what you do about a fault."),
    "stop": Verb("people", "Stop the run that goes on."),
    "plans": Verb("plans", "List the ready plans."),
    "strategies": Verb("plans", "List the shop's strategies, and the bugs to plant."),
    "validate": Verb("plans", "Read a plan and report every mistake."),
    "schema": Verb("plans", "Print the JSON Schema of plans."),
    "proxy": Verb("proxy", "Run the Toxiproxy-compatible server alone."),
}


class Verbs(TyperGroup):
    """The group of all verbs; it lists them without importing them.

    Typer's own types of contexts and formatters are private, hence `Any`.
    """

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        listed = {name: TyperCommand(name, help=verb.summary) for name, verb in VERBS.items()}
        self.commands.update(listed)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002 - Typer's signature
        verb = VERBS.get(cmd_name)
        return None if verb is None else verb.command(cmd_name)

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002 - Typer's signature
        with formatter.section("Commands"):
            formatter.write_dl([(name, verb.summary) for name, verb in VERBS.items()])
