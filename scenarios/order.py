"""What the director tells a traffic process: one line to prepare by, one line to start by."""

from typing import Any

import msgspec


class TrafficOrder(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The first line on standard input: everything to prepare before saying `ready`.

    Args:
        run_id: The run's id; order references derive from it.
        run_dir: The run directory, which exists.
        plan: The resolved plan, as `plan.json` holds it.
        base_url: Where the shop answers, scheme, host and port.
        adapter: Path of the shop's adapter file, or PATH.py:CLASS; None is the reference shop's.
        allow_hosts: The only hosts that may be contacted.
        via: `IP:PORT` to connect to, whatever the name in `base_url` resolves to.
        index: This process's stripe: it takes the arrivals k with k % count == index.
        count: How many traffic processes share the plan's arrivals.
    """

    run_id: str
    run_dir: str
    plan: dict[str, Any]
    base_url: str
    adapter: str | None = None
    allow_hosts: tuple[str, ...] = ("127.0.0.1", "localhost", "::1")
    via: str | None = None
    index: int = 0
    count: int = 1


class StartSignal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The second line: second 0 of the run's clock, by CLOCK_MONOTONIC of this machine."""

    zero_monotonic_s: float
