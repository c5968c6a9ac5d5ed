"""However faults of the network overlap and fail, the proxy server ends as it began."""

from contextlib import AbstractContextManager, suppress
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from chaos.inflict import inflict
from doorbuster.errors import DoorbusterError
from tests.chaos_fakes import CONNECTIONS, FakeApi, FakeJournal, fault, hands

KINDS: tuple[dict[str, Any], ...] = (
    {"latency": {"delay": "1s"}},
    {"timeout": {}},
    {"reset_peer": {"after": "10ms"}},
    {"down": {}},
    {"blackhole": {}},
    {"slicer": {"size": "10B"}},
    {"flap": {"down": "1s", "up": "1s"}},
)

places = st.tuples(st.sampled_from((*CONNECTIONS, "postgres")), st.sampled_from(KINDS))


@st.composite
def overlaps(draw: st.DrawFn) -> tuple[list[tuple[str, dict[str, Any]]], list[int]]:
    """Return faults, and an order of their begins and ends: the index of each, twice."""
    faults = draw(st.lists(places, max_size=6))
    return faults, draw(st.permutations([*range(len(faults))] * 2))


@given(overlaps(), st.integers(0, 40))
def test_every_overlap_of_faults_leaves_the_server_as_it_was(
    plan: tuple[list[tuple[str, dict[str, Any]]], list[int]], failing_call: int
) -> None:
    """One begin may be refused, as by a server that is out of ports."""
    faults, order = plan
    api, journal = FakeApi(), FakeJournal()
    before = api.state
    with_hands = hands(api, journal)
    open_: dict[int, AbstractContextManager[None]] = {}
    for turn, index in enumerate(order):
        if index in open_:
            open_.pop(index).__exit__(None, None, None)
            continue
        on, kind = faults[index]
        acting = inflict(fault(on, name=f"fault {index}", **kind), with_hands)
        if turn == failing_call:
            api.failing = {f"{verb} doorbuster-test-run-{on}": 1 for verb in ("add", "disable")}
        with suppress(DoorbusterError):
            acting.__enter__()
            open_[index] = acting
        api.failing = {}
    for acting in open_.values():
        acting.__exit__(None, None, None)
    assert api.state == before
