"""The `doorbuster` command: its verbs, and the exit code of each way to end."""

import sys
import traceback
from collections.abc import Sequence
from typing import Annotated

import typer

from doorbuster import __version__
from doorbuster.cli import capacity, doctor, people, plans, proxy, rehearse, results, up, worker
from doorbuster.errors import DoorbusterError
from doorbuster.room import lack_in
from doorbuster.verdicts import EXIT_CODES

EPILOG = "Exit codes: " + " · ".join(f"{code} {meaning}" for code, meaning in EXIT_CODES.items())

app = typer.Typer(
    name="doorbuster",
    help="Rehearse a flash sale before the sale.",
    epilog=EPILOG,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"doorbuster {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Rehearse a flash sale before the sale."""


app.command("rehearse", epilog=EPILOG)(rehearse.rehearse)
app.command("capacity", epilog=EPILOG)(capacity.capacity)
app.command("doctor")(doctor.doctor)
app.command("up")(up.up)
app.command("worker")(worker.worker)
app.command("report")(results.report)
app.command("check")(results.check)
app.command("journal")(results.journal)
app.command("note")(people.note)
app.command("act")(people.act)
app.command("stop")(people.stop)
app.command("plans")(plans.plans)
app.command("strategies")(plans.strategies)
app.command("validate")(plans.validate)
app.command("schema")(plans.schema)
app.command("proxy")(proxy.proxy)


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code; this is where every failure gets its own."""
    try:
        code = app(list(arguments), standalone_mode=False)
    except typer.TyperException as error:
        print(error.format_message(), file=sys.stderr)
        return 2
    except (KeyboardInterrupt, typer.Abort):
        return 5
    except DoorbusterError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except Exception as error:  # noqa: BLE001 - the one place that maps accidents to their exit code
        lack = lack_in(error) if isinstance(error, OSError) else None
        print(lack or traceback.format_exc(), file=sys.stderr)
        return 4
    return code if isinstance(code, int) else 0


def main() -> None:
    """Run the command that the arguments ask for."""
    sys.exit(run(sys.argv[1:]))
