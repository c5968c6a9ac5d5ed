"""Wait for the provider to call, and never ask.

A provider that took the money and lost the message leaves the order in between for ever: neither
paid nor free to be paid again, with its units on hold.
"""

from target_app.jobs import Jobs
from target_app.payments.reconciling import resolve_charges
from target_app.reconciliation.events import meet_events


def never_asking(jobs: Jobs) -> Jobs:
    return tuple(job for job in jobs if job[0] not in {resolve_charges, meet_events})
