"""What the director tells a traffic process: one line to prepare by, one line to start by."""

from typing import Any, TypeVar

import msgspec

from doorbuster.errors import DoorbusterError

Line = TypeVar("Line", bound=msgspec.Struct)


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


class CrewOrder(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The first line for a master: what the traffic is, and who shares it.

    Args:
        order: For each worker the same, but for its stripe.
        workers: How many there have to be.
        host: Where they connect to; port 0 is any that is free.
        elsewhere: They are on other hosts, and send home what they write.
    """

    order: TrafficOrder
    workers: int
    host: str = "127.0.0.1"
    port: int = 0
    elsewhere: bool = False


class StartSignal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The second line: second 0 of the run's clock, by CLOCK_MONOTONIC of this machine."""

    zero_monotonic_s: float


def decoded(line: bytes, kind: type[Line]) -> Line:
    """Return what a line of standard input holds."""
    try:
        return msgspec.json.decode(line, type=kind)
    except msgspec.MsgspecError as error:
        raise DoorbusterError(f"expected a {kind.__name__} on standard input: {error}") from error
