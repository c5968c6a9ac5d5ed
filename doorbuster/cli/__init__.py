"""The command line: the one place that plugs stacks, traffic, faults and reports together."""

from doorbuster.cli.main import main

__all__ = ["main"]
