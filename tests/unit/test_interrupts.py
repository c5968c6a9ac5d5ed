import signal

import pytest

from doorbuster.cli.interrupts import Interrupts, listening

NUMBERS = (signal.SIGINT, signal.SIGTERM)


def interrupts_us(number: signal.Signals) -> bool:
    """Send a signal and tell whether it broke in here; it must not end the tests."""
    try:
        signal.raise_signal(number)
    except KeyboardInterrupt:
        return True
    return False


@pytest.mark.parametrize("number", NUMBERS)
def test_the_first_one_only_asks(number: signal.Signals) -> None:
    with listening() as interrupts:
        assert not interrupts.asked
        assert not interrupts_us(number)
        assert interrupts.asked


@pytest.mark.parametrize("number", NUMBERS)
def test_the_second_one_drops_everything_and_a_third_does_not_disturb(
    number: signal.Signals,
) -> None:
    with listening():
        sent = (signal.SIGINT, number, number)
        assert [interrupts_us(each) for each in sent] == [False, True, False]


def test_nothing_stops_the_clean_up() -> None:
    with listening() as interrupts:
        assert not interrupts_us(signal.SIGINT)
        interrupts.cleaning = True
        assert not any(interrupts_us(signal.SIGINT) for _ in range(5))
        assert interrupts.count == 6


def test_while_the_stack_starts_the_first_one_breaks_in_and_a_second_does_not() -> None:
    with listening() as interrupts:
        interrupts.start()
        assert [interrupts_us(signal.SIGINT) for _ in range(3)] == [True, False, False]


def test_what_was_asked_before_the_start_breaks_it_off() -> None:
    with listening() as interrupts:
        assert not interrupts_us(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            interrupts.start()


def test_nobody_asked_at_first() -> None:
    assert not Interrupts().asked


def test_who_listened_before_listens_again() -> None:
    before = [signal.getsignal(number) for number in NUMBERS]
    with listening():
        assert [signal.getsignal(number) for number in NUMBERS] != before
    assert [signal.getsignal(number) for number in NUMBERS] == before
