from doorbuster.timeline import timeline
from tests.fakes import changed, plan_of


def acts(text: str) -> list[str]:
    return [
        f"{event.at_s:g} {'begin' if event.begins else 'end'} {event.kind} {event.name}"
        for event in timeline(plan_of(text))
    ]


def test_phases_and_faults_begin_and_end_in_order() -> None:
    assert acts(changed("closes_at: rush+9s", "closes_at: null")) == [
        "0 begin phase baseline",
        "5 end phase baseline",
        "5 begin gate baseline",
        "5 begin phase rush",
        "6 begin fault payments latency",
        "8 end fault payments latency",
        "9 begin fault postgres failover",
        "10 end fault postgres failover",
        "15 end phase rush",
    ]


def test_at_one_moment_the_gate_comes_before_what_it_guards() -> None:
    text = changed("at: rush+1s", "at: rush")
    assert acts(text)[1:5] == [
        "5 end phase baseline",
        "5 begin gate baseline",
        "5 begin phase rush",
        "5 begin fault payments latency",
    ]


def test_at_one_moment_a_fault_ends_before_the_next_begins() -> None:
    text = changed("at: rush+1s, for: 2s", "at: rush+1s, for: 3s")
    assert acts(text)[5:7] == [
        "9 end fault payments latency",
        "9 begin fault postgres failover",
    ]


def test_only_faults_carry_a_fault() -> None:
    for event in timeline(plan_of()):
        assert (event.fault is not None) == (event.kind in ("fault", "beat"))


def test_what_begins_also_ends_and_later() -> None:
    begun: dict[tuple[str, str], float] = {}
    for event in timeline(plan_of()):
        if event.kind == "gate":
            continue
        if event.begins:
            begun[event.kind, event.name] = event.at_s
        else:
            assert begun.pop((event.kind, event.name)) < event.at_s
    assert not begun


def test_a_fault_with_beats_has_them_between_its_ends() -> None:
    text = changed("latency: {delay: 2s}", "flap: {down: 500ms, up: 1s}")
    text = text.replace("payments latency", "payments flap")
    of_fault = [e for e in timeline(plan_of(text)) if e.name == "payments flap"]
    assert [(e.at_s, e.kind, e.beat) for e in of_fault] == [
        *((6, "fault", 0), (6.5, "beat", 1), (7.5, "beat", 2), (8, "fault", 0)),
    ]
