"""The shop's processes: `python -m target_app storefront|provider|describe|lint-rules`."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from target_app.describing import described


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    if options.process == "describe":
        json.dump(described(), sys.stdout, indent=2)
        sys.stdout.write("\n")
        return 0
    # Whoever only asks what there is should not have to wait for the whole shop to load.
    if options.process == "lint-rules":
        from target_app.lint_rules import lint_rules  # noqa: PLC0415

        return lint_rules(options.file, out=sys.stdout)
    from target_app.starting import start  # noqa: PLC0415

    return start(options.process, host=options.host, port=options.port)


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
