"""Busy processes on this machine that want the processors of a component."""

import sys

from doorbuster.stack.process import Program

BUSY = """
import os, sys, time
cores, end_s = int(sys.argv[1]), time.monotonic() + float(sys.argv[2])
for _ in range(cores - 1):
    if os.fork() == 0:
        break
while time.monotonic() < end_s:
    pass
"""


def hog_program(beside: Program, *, cores: int, bound_s: float) -> Program:
    """Return what keeps so many cores busy; its folder is beside the component's, not in it."""
    name = f"{beside.component}-hog"
    home = beside.home.parent / name
    home.mkdir(exist_ok=True)
    return Program(
        component=name,
        command=(sys.executable, "-I", "-S", "-c", BUSY, str(cores), f"{bound_s:g}"),
        home=home,
        log=beside.log.parent / f"{name}.log",
    )
