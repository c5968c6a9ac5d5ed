"""What `--dry-run` prints for each moment of a fault."""

from doorbuster.cli.rehearse import dry_lines
from doorbuster.timeline import fault_events
from tests.chaos_fakes import fault


def lines_of(*, redis: bool = True, on: str, **kind: object) -> list[list[str]]:
    inflicted = fault(on, name="f", **kind)
    return [
        dry_lines(inflicted, event, redis=redis, seed=7) for event in fault_events(inflicted, 10.0)
    ]


def test_a_flap_is_down_and_up_in_turns() -> None:
    down = ['PATCH /proxies/doorbuster-RUN-edge {"enabled": false}']
    up = ['PATCH /proxies/doorbuster-RUN-edge {"enabled": true}']
    assert lines_of(on="edge", flap={"down": "1s", "up": "1500ms"}) == [down, up, down, up, up]


def test_a_partition_cuts_only_what_is_there() -> None:
    (begin, end) = lines_of(on="storefront", partition={}, redis=False)
    assert len(begin) == len(end) == 2 * 5
    assert not [line for line in begin if "redis" in line]
    assert len(lines_of(on="storefront", partition={})[0]) == 2 * 6


def test_what_is_no_call_is_told_in_words() -> None:
    begin, end = lines_of(on="postgres", lock={"sku": "HOT-1"})
    assert begin == end == ["lock postgres Lock(sku='HOT-1')"]


def test_the_provider_is_told_how_to_behave_and_then_to_behave() -> None:
    begin, end = lines_of(on="provider", respond={"mode": "slow", "delay": "3s"})
    assert begin == ['PUT /psp/_sim {"mode": "slow", "seed": 7, "delay_s": 3.0}']
    assert end == ['PUT /psp/_sim {"mode": "normal"}']


def test_hooks_are_told_as_a_shell_would_take_them() -> None:
    commands = {"begin": ["cdnctl", "purge all"], "end": ["cdnctl", "warm"]}
    assert lines_of(on="cdn", hooks=commands) == [["cdnctl 'purge all'"], ["cdnctl warm"]]
