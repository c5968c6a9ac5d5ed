"""The shop's processes: `python -m target_app storefront|provider|describe|lint-rules`."""

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import uvloop

from target_app.database.pool import UnavailableError, UnknownOutcomeError
from target_app.lint_rules import lint_rules
from target_app.logs import log_to_stderr
from target_app.provider.process import run_provider
from target_app.serving import raise_file_limit
from target_app.settings import ProviderSettings, SettingsError, StorefrontSettings
from target_app.storefront import run_storefront
from target_app.strategies import described


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    if options.process == "lint-rules":
        return lint_rules(options.file, out=sys.stdout)
    if options.process == "describe":
        json.dump(described(), sys.stdout, indent=2)
        sys.stdout.write("\n")
        return 0
    log_to_stderr()
    raise_file_limit()
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_process(options))
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except (UnavailableError, UnknownOutcomeError) as error:
        sys.stderr.write(f"no database took writes: {error}\n")
        return 1
    return 0


async def _process(options: argparse.Namespace) -> None:
    if options.process == "storefront":
        shop = StorefrontSettings.from_environment(os.environ, prefix="STOREFRONT_")
        await run_storefront(shop, host=options.host, port=options.port)
    else:
        provider = ProviderSettings.from_environment(os.environ, prefix="PROVIDER_")
        await run_provider(provider, host=options.host, port=options.port)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m target_app", description=__doc__)
    processes = parser.add_subparsers(dest="process", required=True)
    for name, what in (
        ("storefront", "one replica of the shop; settings in STOREFRONT_*"),
        ("provider", "the payment provider simulator; settings in PROVIDER_*"),
    ):
        process = processes.add_parser(name, help=what)
        process.add_argument("--host", default="127.0.0.1")
        process.add_argument("--port", type=int, required=True)
    lint = processes.add_parser("lint-rules", help="say what is wrong with a sale's promotions")
    lint.add_argument("file", type=Path, help="the body of PUT /ops/sale, as JSON")
    processes.add_parser("describe", help="print strategies and planted flaws as JSON")
    return parser


if __name__ == "__main__":
    sys.exit(main())
