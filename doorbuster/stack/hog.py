"""Busy processes on this machine that want the processors of a component."""

import sys

from doorbuster.stack.process import Program

BUSY = """
import sys, time
end_s = time.monotonic() + float(sys.argv[1])
while time.monotonic() < end_s:
    pass
"""


def hog_program(beside: Program, *, number: int, bound_s: float) -> Program:
    """Return what keeps one core busy; its folder is beside the component's, not in it."""
    name = f"{beside.component}-hog-{number}"
    home = beside.home.parent / name
    home.mkdir(exist_ok=True)
    return Program(
        component=name,
        command=(sys.executable, "-I", "-S", "-c", BUSY, f"{bound_s:g}"),
        home=home,
        log=beside.log.parent / f"{beside.component}-hog.log",
    )
