"""Keeping the appointment with a shop that opens by its own clock: when second 0 has to be."""

import time
from collections.abc import Callable
from datetime import datetime
from typing import Final

from doorbuster.clock import Clock
from doorbuster.errors import DoorbusterError, PlanError
from doorbuster.opening import opening_of
from doorbuster.plan import Plan

ROOM_S: Final = 15.0
"""From the command to the first arrival: the time that everybody needs to get ready."""

IDLE_S_MAX: Final = 3600.0


def idle_s(plan: Plan, *, now: datetime) -> float:
    """Return how long to wait before the first arrival, 0 where the sale opens when we say so.

    Negative where it should have come already, and long where it comes tomorrow.
    """
    opening = opening_of(plan.sale.opens_at)
    if opening.at is None:
        return 0.0
    ahead_s = (opening.next_after(now) - now).total_seconds()
    return ahead_s - plan.opens_s - plan.traffic.warmup


def require_time(plan: Plan, *, now: datetime) -> float:
    """Return how long to wait, if that is neither too short to get ready nor too long to sit by."""
    wait_s = idle_s(plan, now=now)
    if _has_an_hour(plan) and not ROOM_S <= wait_s <= IDLE_S_MAX:
        raise PlanError(
            f"sale.opens_at = {plan.sale.opens_at!r}: by this machine's clock, arrivals would "
            f"begin in {wait_s:,.0f} s; expected {ROOM_S:g} s to {IDLE_S_MAX:,.0f} s"
        )
    return wait_s


def clock_of(plan: Plan, *, lead_s: float, now: datetime, meanwhile: Callable[[], None]) -> Clock:
    """Return the run's clock `lead_s` before its first arrival, having waited for that if need be.

    Args:
        plan: Says whether the shop opens when it is told to, or by its own clock.
        lead_s: The time that everybody needs to hear of second 0.
        now: The time of day, which is compared with the shop's.
        meanwhile: Called several times a second; raises to give up.

    Raises:
        DoorbusterError: It took so long to get ready that the sale opens too early.
    """
    lead_in_s = lead_s
    if _has_an_hour(plan):
        lead_in_s = idle_s(plan, now=now)
        if not lead_s <= lead_in_s <= IDLE_S_MAX:
            raise DoorbusterError(
                f"the sale opens at {plan.sale.opens_at} by its own clock, and getting ready took "
                "too long for that; expected to be started earlier"
            )
    first_arrival_s = time.monotonic() + lead_in_s
    while (left_s := first_arrival_s - lead_s - time.monotonic()) > 0:
        meanwhile()
        time.sleep(min(left_s, 0.1))
    return Clock(first_arrival_s + plan.traffic.warmup)


def _has_an_hour(plan: Plan) -> bool:
    return opening_of(plan.sale.opens_at).at is not None
