"""Faults by chance: whatever the seed, they keep the limits that they were given."""

from typing import get_args

from hypothesis import given
from hypothesis import strategies as st

from doorbuster.anchors import anchor_s
from doorbuster.faults import COMPONENTS, TOUCHED_BY, Fault, component_takes
from doorbuster.faults.chance import RandomFaults, RandomKind, as_faults, draw
from doorbuster.faults.lots import BACK_AFTER_S, CAUGHT_UP_S, Ground
from doorbuster.plan.overlaps import Timed, clashes

KINDS = get_args(RandomKind)
PARTS = [*(name for name in COMPONENTS if name != "storefront-N"), "storefront-2"]
grounds = st.builds(
    lambda replicas: Ground(items=[["HOT"], ["BASE-1", "BASE-2"]], replicas=replicas),
    st.integers(2, 16),
)
seeds = st.integers(0, 2**63 - 1)

stretches = st.builds(
    lambda kinds, rate, longest_s, at_once: RandomFaults.model_validate(
        {
            "at": "rush+2s",
            "for": "60s",
            "kinds": kinds,
            "on": [part for part in PARTS if set(component_takes(part)) & set(kinds)],
            "rate": f"{rate}/m",
            "longest": f"{longest_s}s",
            "at_once": at_once,
        }
    ),
    st.lists(st.sampled_from(KINDS), min_size=1, unique=True),
    st.integers(1, 200),
    st.integers(1, 20),
    st.integers(1, 4),
)


@given(stretches, seeds, grounds)
def test_they_keep_their_limits(wanted: RandomFaults, seed: int, ground: Ground) -> None:
    drawn = draw(wanted, seed=seed, ground=ground)
    for each in drawn:
        assert each.kind in wanted.kinds
        assert 0 <= each.begins_s < each.ends_s <= wanted.lasts
        assert 0 < each.lasts_s <= wanted.longest
        on_then = [o for o in drawn if o.begins_s <= each.begins_s < o.ends_s]
        assert len(on_then) <= wanted.at_once
        assert len({o.on for o in on_then}) == len(on_then)


@given(stretches, seeds, grounds)
def test_each_is_a_line_of_a_plan(wanted: RandomFaults, seed: int, ground: Ground) -> None:
    lines = as_faults(wanted, seed=seed, ground=ground)
    faults = [Fault.model_validate(line) for line in lines]
    words = [fault.word for fault in faults if fault.word != "failback"]
    assert words == [each.kind for each in draw(wanted, seed=seed, ground=ground)]
    assert len({fault.name for fault in faults}) == len(faults)
    assert lines == as_faults(wanted, seed=seed, ground=ground)
    for fault in faults:
        if fault.rolling is not None:
            assert 1 + len(fault.beats_s) >= ground.replicas, "each replica has its turn"


@given(stretches, seeds, grounds)
def test_no_two_of_them_clash(wanted: RandomFaults, seed: int, ground: Ground) -> None:
    drawn = [Fault.model_validate(line) for line in as_faults(wanted, seed=seed, ground=ground)]
    begins_s = [anchor_s(fault.at, {"rush": 0.0}) for fault in drawn]
    timed = [
        Timed(fault, at_s, at_s + fault.lifted_after_s)
        for fault, at_s in zip(drawn, begins_s, strict=True)
    ]
    assert not list(clashes(timed))


@given(seeds, grounds, st.integers(1, 4))
def test_a_failover_has_the_databases_to_itself_and_a_way_back(
    seed: int, ground: Ground, at_once: int
) -> None:
    """Else it would lose orders that were confirmed, or meet a shop without a standby."""
    kinds = ["failover", "lag", "lock", "kill", "down", "partition"]
    wanted = RandomFaults.model_validate(
        {"at": "rush", "for": "60s", "kinds": kinds, "rate": "90/m", "at_once": at_once}
    )
    faults = [Fault.model_validate(x) for x in as_faults(wanted, seed=seed, ground=ground)]
    spans = [(anchor_s(fault.at, {"rush": 0.0}), fault) for fault in faults]
    for begins_s, failover in spans:
        if failover.failover is None:
            continue
        _, back = next(span for span in spans if span[1].name == back_of(failover))
        back_s = anchor_s(back.at, {"rush": 0.0})
        assert back.failback is not None
        assert back_s >= begins_s + failover.lifted_after_s + BACK_AFTER_S - 0.001
        for other_s, other in spans:
            if other is failover or other is back or not of_databases(other):
                continue
            ended_s = other_s + other.lifted_after_s
            assert ended_s + CAUGHT_UP_S < begins_s + 0.001 or other_s > back_s, other.name


@given(seeds, grounds)
def test_a_lock_and_a_cut_meet_nothing_that_hides_them(seed: int, ground: Ground) -> None:
    kinds = ["lock", "partition", "pause", "down", "latency", "crash_loop"]
    wanted = RandomFaults.model_validate(
        {"at": "rush", "for": "60s", "kinds": kinds, "rate": "150/m", "at_once": 4}
    )
    drawn = draw(wanted, seed=seed, ground=ground)
    for each in drawn:
        on_then = {o.on for o in drawn if o.begins_s < each.ends_s and each.begins_s < o.ends_s}
        if each.kind == "lock":
            assert on_then <= {"postgres", "edge", "payments", "webhooks", "provider"}
        if each.kind == "partition":
            assert not (on_then - {each.on}) & set(TOUCHED_BY[each.on])


def back_of(failover: Fault) -> str:
    return failover.name.replace("failover", "failback")


def of_databases(fault: Fault) -> bool:
    cuts_them = fault.partition is not None and fault.on == "storefront"
    return cuts_them or fault.on == "replication" or fault.on.startswith("postgres")
