"""Waits for what other processes do."""

import time
from collections.abc import Callable


def eventually(holds: Callable[[], bool], *, bound_s: float = 10.0) -> bool:
    """Return whether `holds` came true in time."""
    give_up_s = time.monotonic() + bound_s
    while not holds() and time.monotonic() < give_up_s:
        time.sleep(0.02)
    return holds()
