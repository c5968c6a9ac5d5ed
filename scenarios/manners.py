"""Manners: how a shopper's app tries again after a failure, and whether it waits when asked to."""

import time
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from random import Random
from typing import Final

from scenarios.outcome import Answer, Reply


@dataclass(frozen=True, slots=True)
class Manners:
    """Waits between attempts: capped exponential back-off with full jitter, or a fixed time.

    Args:
        first_s: The longest wait after the first failure; it doubles with each further one.
        cap_s: The longest wait of all.
        jittered: Wait anything up to that, so that crowds spread out; else exactly that.
        obeys: Wait at least as long as the shop asks for in Retry-After.
    """

    first_s: float = 0.1
    cap_s: float = 1.0
    jittered: bool = True
    obeys: bool = True

    def wait_s(self, failures: int, jitter: Random, *, asked_s: float | None = None) -> float:
        """Return how long to wait after `failures` in a row; `asked_s` is what the shop asked."""
        ceiling_s = min(self.cap_s, self.first_s * 2.0 ** min(failures - 1, 60))
        wait_s = ceiling_s * jitter.random() if self.jittered else ceiling_s
        return wait_s + (asked_s or 0.0) if self.obeys else wait_s


POLITE: Final = Manners()
STUBBORN: Final = Manners(obeys=False)
"""Backs off, but comes when it likes."""

STORMING: Final = Manners(first_s=1.0, cap_s=1.0, jittered=False, obeys=False)
"""Every second, all at the same beat: what makes one slow moment a wave."""


def asked_to_wait_s(reply: Reply) -> float | None:
    """Return how long an answer asks to wait by Retry-After, in seconds or by a date."""
    if not isinstance(reply, Answer) or reply.status < 300:
        return None
    asked = reply.header("Retry-After")
    return None if asked is None else _seconds(asked.strip())


def _seconds(text: str) -> float | None:
    if text.isascii() and text.isdecimal() and len(text) < 10:
        return float(text)
    try:
        at_s = parsedate_to_datetime(text).timestamp()
    except (ValueError, OverflowError):  # the latter where a zone or a year is beyond all dates
        return None  # what cannot be read asks for nothing
    return max(0.0, at_s - time.time())
