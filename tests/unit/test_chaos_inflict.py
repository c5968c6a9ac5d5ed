"""What is undone, and in which order, when the acting out of a fault goes wrong."""

from dataclasses import replace

import pytest

from chaos.calls import toxic_name
from chaos.inflict import inflict
from doorbuster.errors import DoorbusterError, FaultStuck
from tests.chaos_fakes import RUN, FakeApi, FakeComponent, FakeJournal, fault, hands

A, B = (f"doorbuster-{RUN}-postgres-{node}" for node in "ab")
EDGE = f"doorbuster-{RUN}-edge"
SLOW = fault("postgres", latency={"delay": "1s"})


@pytest.fixture
def api() -> FakeApi:
    return FakeApi()


@pytest.fixture
def journal() -> FakeJournal:
    return FakeJournal()


class Running(FakeComponent):
    """Has a process from its start to its end."""

    alive = True

    def _do(self, deed: str) -> None:
        super()._do(deed)
        self.alive = deed != "kill"

    def pids(self) -> list[int]:
        return [1] if self.alive else []


def test_a_toxic_stands_on_both_nodes_while_the_fault_lasts(
    api: FakeApi, journal: FakeJournal
) -> None:
    before = api.state
    with inflict(SLOW, hands(api, journal)):
        latency = ("latency", "downstream", {"latency": 1000, "jitter": 0}, 1.0)
        assert api.standing[A] == api.standing[B] == {toxic_name(SLOW.name): latency}
    assert api.state == before
    assert api.calls == [f"add {A}", f"add {B}", f"remove {B}", f"remove {A}"]


def test_every_call_is_journalled_before_and_after(api: FakeApi, journal: FakeJournal) -> None:
    with inflict(fault("edge", name="dark", down={}), hands(api, journal)):
        pass
    shut = ("call", f"PATCH /proxies/{EDGE}")
    assert journal.events == [
        (*shut, {"fault": "dark", "before": before}) for before in (True, False, True, False)
    ]


def test_whoever_waits_is_told_before_each_call(api: FakeApi, journal: FakeJournal) -> None:
    """Copying a database takes longer than a director may say nothing."""
    told: list[tuple[int, float]] = []
    patient = replace(hands(api, journal), on_call=lambda s: told.append((len(journal.events), s)))
    with inflict(fault("edge", down={}), patient):
        pass
    assert told == [(0, 0.0), (2, 0.0)]


def test_whoever_waits_is_told_how_long_the_plan_lets_a_call_take(
    api: FakeApi, journal: FakeJournal
) -> None:
    """Else the watchdog takes a director that waits for a slow command to hang."""
    told: list[float] = []
    component = FakeComponent("provider")
    patient = replace(hands(api, journal, component), on_call=told.append)
    slow = fault("cdn", hooks={"begin": ["true"], "end": ["true"], "bound": "10m"})
    with inflict(slow, patient):
        pass
    assert told == [600.0, 600.0]
    told.clear()
    with inflict(fault("provider", restart={"grace": "5m"}), patient):
        pass
    assert told == [300.0, 0.0]


def test_when_the_second_proxy_cannot_be_broken_the_first_is_mended(
    api: FakeApi, journal: FakeJournal
) -> None:
    before = api.state
    api.failing[f"add {B}"] = 1
    with pytest.raises(DoorbusterError, match="no answer"), inflict(SLOW, hands(api, journal)):
        pytest.fail("the fault must not have begun")
    assert api.state == before


def test_a_begin_that_was_not_answered_is_undone_too(api: FakeApi, journal: FakeJournal) -> None:
    """It may have taken effect all the same."""
    api.failing[f"add {A}"] = 1
    with pytest.raises(DoorbusterError), inflict(SLOW, hands(api, journal)):
        pass
    assert f"remove {A}" in api.calls


def test_a_fault_is_lifted_when_the_body_raises(api: FakeApi, journal: FakeJournal) -> None:
    before = api.state
    with pytest.raises(KeyboardInterrupt), inflict(SLOW, hands(api, journal)):
        raise KeyboardInterrupt
    assert api.state == before


def test_a_toxic_that_does_not_show_is_not_a_fault(api: FakeApi, journal: FakeJournal) -> None:
    api.toxics = lambda proxy: []  # type: ignore[method-assign]
    with pytest.raises(DoorbusterError, match="not to be seen"), inflict(SLOW, hands(api, journal)):
        pytest.fail("the fault was not seen to act")


def test_a_removal_that_hangs_is_forced_by_shutting_the_proxy(
    api: FakeApi, journal: FakeJournal
) -> None:
    before = api.state
    with inflict(SLOW, hands(api, journal)):
        api.failing[f"remove {A}"] = 1
        api.calls.clear()
    assert api.calls == [
        f"remove {B}",
        *(f"remove {A}", f"disable {A}", f"enable {A}", f"remove {A}"),
    ]
    assert api.state == before


def test_what_will_not_go_at_all_goes_with_its_proxy_which_keeps_what_others_want(
    api: FakeApi, journal: FakeJournal
) -> None:
    both = hands(api, journal)
    with inflict(fault("edge", name="other", latency={"delay": "1s"}), both):
        other = dict(api.standing[EDGE])
        with inflict(fault("edge", name="stays", timeout={}), both):
            api.failing[f"remove {EDGE}"] = 99
        assert api.standing[EDGE] == other
        assert f"recreate {EDGE}" in api.calls
        api.failing = {}
    assert not api.standing[EDGE]
    ways = [detail["way"] for kind, name, detail in journal.events if name == "escalated"]
    assert ways == ["proxy shut and opened", "proxy made anew"]


def test_a_proxy_made_anew_stays_shut_for_another_fault(api: FakeApi, journal: FakeJournal) -> None:
    both = hands(api, journal)
    with inflict(fault("edge", name="dark", down={}), both):
        with inflict(fault("edge", name="stays", timeout={}), both):
            api.failing[f"remove {EDGE}"] = 99
        assert not api.enabled[EDGE]
    assert api.enabled[EDGE]


def test_a_fault_that_stays_says_how_to_lift_it_by_hand(api: FakeApi, journal: FakeJournal) -> None:
    with pytest.raises(FaultStuck) as stuck, inflict(SLOW, hands(api, journal)):
        api.failing |= {f"remove {A}": 99, f"recreate {A}": 1}
    path = f"http://127.0.0.1:8474/proxies/{A}/toxics/{toxic_name(SLOW.name)}"
    assert f"curl -X DELETE {path}" in str(stuck.value)
    assert "'postgres latency'" in str(stuck.value)
    assert not api.standing[B], "one that is stuck must not keep the other from being mended"
    assert api.enabled[A]


def test_a_proxy_that_stays_shut_is_stuck(api: FakeApi, journal: FakeJournal) -> None:
    with (
        pytest.raises(FaultStuck, match=f'"enabled": true.*{EDGE}'),
        inflict(fault("edge", down={}), hands(api, journal)),
    ):
        api.failing |= {f"enable {EDGE}": 1, f"recreate {EDGE}": 1}


def test_a_proxy_stays_shut_until_the_last_fault_lets_it_go(
    api: FakeApi, journal: FakeJournal
) -> None:
    both = hands(api, journal)
    first = inflict(fault("edge", name="first", down={}), both)
    second = inflict(fault("edge", name="second", down={}), both)
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert not api.enabled[EDGE]
    second.__exit__(None, None, None)
    assert api.enabled[EDGE]


def test_storefront_means_all_its_replicas(api: FakeApi, journal: FakeJournal) -> None:
    replicas = [FakeComponent(f"storefront-{n}") for n in (1, 2)]
    other = FakeComponent("provider")
    with inflict(fault("storefront", kill={}), hands(api, journal, *replicas, other)):
        assert [replica.done for replica in replicas] == [["kill"], ["kill"]]
    assert [replica.done for replica in replicas] == [["kill", "restart"]] * 2
    assert other.done == []


def test_a_storefront_is_not_waited_for_while_another_fault_may_hold_it_up(
    api: FakeApi, journal: FakeJournal
) -> None:
    """The other one is lifted by the same hands, so waiting for it here would be for ever."""
    shop = Running("storefront-1")
    with_hands = hands(api, journal, shop)
    crash = inflict(fault("storefront-1", kill={}), with_hands)
    with inflict(fault("postgres", down={}), with_hands):
        with crash:
            pass
        assert shop.done == ["kill", "launch"]
    with inflict(fault("storefront-1", kill={}), with_hands):
        pass
    assert shop.done[2:] == ["kill", "restart"]


def test_a_pause_that_stops_nothing_is_undone(api: FakeApi, journal: FakeJournal) -> None:
    component = FakeComponent("provider")  # it has no process that could be seen to stop
    with (
        pytest.raises(DoorbusterError, match="the stop of provider is not to be seen"),
        inflict(fault("provider", pause={}), hands(api, journal, component)),
    ):
        pytest.fail("the fault was not seen to act")
    assert component.done == ["pause", "resume"]


def test_one_replica_that_does_not_come_back_is_stuck(api: FakeApi, journal: FakeJournal) -> None:
    good, bad = FakeComponent("storefront-1"), FakeComponent("storefront-2", unable="restart")
    with (
        pytest.raises(FaultStuck, match="storefront-2 cannot restart"),
        inflict(fault("storefront", kill={}), hands(api, journal, good, bad)),
    ):
        pass
    assert good.done == ["kill", "restart"]


def test_a_component_that_the_stack_lacks_is_an_error(api: FakeApi, journal: FakeJournal) -> None:
    with (
        pytest.raises(DoorbusterError, match="no 'storefront-9'"),
        inflict(fault("storefront-9", kill={}), hands(api, journal)),
    ):
        pass
