"""Which faults may be on at the same time: none may undo another, or keep it from being acted out.

Faults are begun and lifted one after the other, past the proxy where they can be. So what one of
them needs at its begin or its end no other may have broken then: nobody would mend it meanwhile.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, permutations
from typing import Final, NamedTuple

from doorbuster import faults
from doorbuster.faults import TOUCHED_BY, Fault, Kind

NODE_A: Final = "postgres-a"
NODE_B: Final = "postgres-b"
_REPLICATION: Final = "replication"


def _way(connection: str) -> str:
    return connection if connection == _REPLICATION else f"the connection to {connection}"


_NEEDS: Final[Mapping[type[Kind], tuple[set[str], set[str]]]] = {
    faults.Respond: ({"provider"}, {"provider"}),
    faults.Flush: ({"redis-server"}, set()),
    faults.Lag: ({NODE_B}, {NODE_B}),
    faults.Failover: ({NODE_B}, {NODE_B, _way(NODE_B)}),
    faults.Failback: (
        {NODE_A, NODE_B, _REPLICATION},
        {NODE_A, NODE_B, _REPLICATION, _way(NODE_A)},
    ),
    faults.Restore: ({NODE_A, NODE_B}, {NODE_A, NODE_B, _REPLICATION, _way(NODE_A)}),
}
"""What a kind needs when it begins and when it ends, where that does not depend on the moment.

The standby is always `postgres-b`: after a failover there is none until a failback.
"""


@dataclass(frozen=True)
class Timed:
    """A fault, and when on the run's clock it begins and begins to be lifted."""

    fault: Fault
    begins_s: float
    ends_s: float

    @property
    def name(self) -> str:
        return self.fault.name

    @property
    def processes(self) -> str | None:
        """The component whose processes it ends or stops by itself; None if it does neither."""
        kind = self.fault.kind
        if isinstance(kind, faults.Failover):
            return NODE_A if kind.by == "pause" else None
        if isinstance(kind, faults.Hog) or not isinstance(kind, faults.ProcessKind):
            return None
        return self.fault.on


class Clash(NamedTuple):
    """Two faults that do not go together, and why."""

    one: str
    other: str
    why: str


def clashes(timed: Sequence[Timed]) -> Iterator[Clash]:
    """Return the pairs of faults that do not go together."""
    for one, other in combinations(timed, 2):
        together = one.begins_s < other.ends_s and other.begins_s < one.ends_s
        if together and _same_processes(one.processes, other.processes):
            both = (
                f"faults {one.name!r} and {other.name!r} act on the same processes at the same "
                "time: expected one after the other"
            )
            yield Clash(one.name, other.name, both)
    for one, other in permutations(timed, 2):
        if why := _hindered(one, other, timed):
            yield Clash(one.name, other.name, why)


def _same_processes(one: str | None, other: str | None) -> bool:
    if one is None or other is None:
        return False
    return one == other or ({one, other} >= {"storefront"} and one[:10] == other[:10])


def _hindered(one: Timed, by: Timed, timed: Sequence[Timed]) -> str | None:
    """Say how `by` has broken what `one` needs when it begins or ends; None if it has not."""
    broken = _broken_by(by.fault)
    begins, ends = _needs(one, timed)
    # At one moment what ends goes before what begins; of two that end, the order is by their names.
    at_begin = by.begins_s <= one.begins_s < by.ends_s and sorted(broken & begins)
    at_end = by.begins_s < one.ends_s <= by.ends_s and sorted(broken & ends)
    if not at_begin and not at_end:
        return None
    verb, at_s, needed = (
        ("begins", one.begins_s, at_begin) if at_begin else ("is lifted", one.ends_s, at_end)
    )
    return (
        f"fault {one.name!r} {verb} at {at_s:g} s and needs {' and '.join(needed or ())} for "
        f"that, which {by.name!r} breaks from {by.begins_s:g} s to {by.ends_s:g} s: expected it "
        "before or after that"
    )


def _broken_by(fault: Fault) -> set[str]:
    """Return what cannot be used while the fault is on."""
    match fault.kind:
        case faults.Kill() | faults.Pause() | faults.Restart() | faults.CrashLoop():
            return {fault.on}
        case faults.Failover():
            return {NODE_A}
        case faults.Lag():
            return {_REPLICATION}
        case faults.Partition():
            return {_way(connection) for connection in TOUCHED_BY[fault.on]}
        case (
            faults.Down()
            | faults.Flap()
            | faults.Blackhole()
            | faults.Timeout()
            | faults.ResetPeer()
            | faults.LimitData()
        ):
            both = fault.on == "postgres"
            return {_way(NODE_A), _way(NODE_B)} if both else {_way(fault.on)}
    return set()


def _needs(one: Timed, timed: Sequence[Timed]) -> tuple[set[str], set[str]]:
    """Return what the fault needs when it begins, and what when it ends."""
    match one.fault.kind:
        case faults.Lock():
            node = primary_at(one.begins_s, timed)
            return {node}, {node}
        case faults.Connections():
            return {primary_at(one.begins_s, timed)}, {primary_at(one.ends_s, timed)}
        case kind:
            return _NEEDS.get(type(kind), (set(), set()))


def primary_at(at_s: float, timed: Sequence[Timed]) -> str:
    """Return who is primary, or has been until a failover that is not over."""
    turns = [
        (one.ends_s, one.fault.failover is not None)
        for one in timed
        if one.fault.failover is not None or one.fault.failback is not None
    ]
    last = max((turn for turn in turns if turn[0] <= at_s), default=(0.0, False))
    return NODE_B if last[1] else NODE_A
