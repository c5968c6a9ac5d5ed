"""The smoke plan with limits that a busy machine keeps.

Tests ask whether a rehearsal works, not how fast this machine is while it does other things; with
the plan's own limits a slow moment is an honest `unknown` or `fail`.
"""

from typing import Final

_CHANGES: Final = (
    "traffic.max_lateness=5s",
    "good_within={view: 3s, reserve: 5s, pay: 5s}",
    "budgets=[p99(reserve) <= 5s during rush outside faults, errors <= 20%, "
    'recovery("payments latency") <= 6s]',
)

EASY_SMOKE: Final = ("smoke", *(part for change in _CHANGES for part in ("--set", change)))
"""Arguments of `doorbuster rehearse`."""
