from target_app.payments.breaker import Breaker, BreakerState


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def opened(clock: Clock) -> Breaker:
    breaker = Breaker(clock, failures_max=3, open_s=2.0)
    for _ in range(3):
        assert breaker.admits()
        breaker.failed()
    return breaker


def test_it_opens_after_so_many_failures_in_a_row() -> None:
    breaker = Breaker(Clock(), failures_max=3)
    for outcome in (breaker.failed, breaker.failed, breaker.answered, breaker.failed):
        outcome()
    assert (breaker.state, breaker.admits()) == (BreakerState.CLOSED, True)
    breaker.failed()
    breaker.failed()
    assert (breaker.state, breaker.admits()) == (BreakerState.OPEN, False)


def test_one_probe_goes_through_and_closes_it() -> None:
    clock = Clock()
    breaker = opened(clock)
    clock.now_s += 1.9
    assert not breaker.admits()
    clock.now_s += 0.1
    assert [breaker.admits() for _ in range(3)] == [True, False, False]
    assert breaker.state is BreakerState.HALF_OPEN
    breaker.answered()
    assert (breaker.state, breaker.admits()) == (BreakerState.CLOSED, True)


def test_a_failed_probe_opens_it_again_at_once() -> None:
    clock = Clock()
    breaker = opened(clock)
    clock.now_s += 2.0
    assert breaker.admits()
    breaker.failed()
    assert (breaker.state, breaker.admits()) == (BreakerState.OPEN, False)
    clock.now_s += 2.0
    assert breaker.admits()


def test_a_probe_that_never_reports_does_not_keep_it_open() -> None:
    clock = Clock()
    breaker = opened(clock)
    clock.now_s += 2.0
    assert breaker.admits()
    clock.now_s += 2.0
    assert breaker.admits()
