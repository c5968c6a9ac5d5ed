"""Faults by chance: whatever the seed, they keep the limits that they were given."""

from typing import get_args

from hypothesis import given
from hypothesis import strategies as st

from doorbuster.faults import Fault
from doorbuster.faults.chance import RandomFaults, RandomKind, as_faults, draw

KINDS = get_args(RandomKind)

stretches = st.builds(
    lambda kinds, rate, longest_s, at_once: RandomFaults.model_validate(
        {
            "at": "rush+2s",
            "for": "60s",
            "kinds": kinds,
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


@given(stretches, st.integers(0, 2**63 - 1))
def test_they_keep_their_limits(wanted: RandomFaults, seed: int) -> None:
    drawn = draw(wanted, seed=seed)
    for each in drawn:
        assert each.kind in wanted.kinds
        assert 0 <= each.begins_s < each.ends_s <= wanted.lasts
        assert 0 < each.lasts_s <= wanted.longest
        on_then = [o for o in drawn if o.begins_s <= each.begins_s < o.ends_s]
        assert len(on_then) <= wanted.at_once
        assert len({o.on for o in on_then}) == len(on_then)


@given(stretches, st.integers(0, 2**63 - 1))
def test_each_is_a_line_of_a_plan(wanted: RandomFaults, seed: int) -> None:
    lines = as_faults(wanted, seed=seed)
    faults = [Fault.model_validate(line) for line in lines]
    assert [fault.word for fault in faults] == [each.kind for each in draw(wanted, seed=seed)]
    assert len({fault.name for fault in faults}) == len(faults)
    assert lines == as_faults(wanted, seed=seed)
