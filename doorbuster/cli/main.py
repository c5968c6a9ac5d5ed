"""The `doorbuster` command, and the exit code of each way to end."""

import sys
import traceback
from collections.abc import Sequence
from typing import Annotated

import typer

from doorbuster import __version__
from doorbuster.cli.verbs import EPILOG, Verbs
from doorbuster.errors import DoorbusterError
from doorbuster.room import lack_in

app = typer.Typer(
    name="doorbuster",
    cls=Verbs,
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
