"""The clock of toxics: calls come in order, not early, and not when they were called off."""

import asyncio
import time
from collections.abc import Callable

import pytest

from chaos.proxy.clock import CANCELLED_MIN, LoopClock, TimerFdClock

Clock = TimerFdClock | LoopClock
Scene = Callable[[Clock, list[object]], None]


def ran(
    scene: Callable[[Clock, list[object]], None], *, until: int, kind: type[Clock]
) -> list[object]:
    """Run a scene on a clock of this kind until it noted so many things; return them."""

    async def run() -> list[object]:
        clock, noted = kind(), []
        try:
            scene(clock, noted)
            async with asyncio.timeout(10):
                while len(noted) < until:  # noqa: ASYNC110  the scene knows of no event
                    await asyncio.sleep(0.001)
        finally:
            clock.close()
        return noted

    return asyncio.run(run())


both_clocks = pytest.mark.parametrize("kind", [TimerFdClock, LoopClock])


@both_clocks
def test_calls_come_in_the_order_they_are_due(kind: type[Clock]) -> None:
    def scene(clock: Clock, noted: list[object]) -> None:
        for delay_ms in (30, 10, 20, 0):
            clock.call_later(delay_ms / 1000, lambda delay_ms=delay_ms: noted.append(delay_ms))

    assert ran(scene, until=4, kind=kind) == [0, 10, 20, 30]


@both_clocks
def test_cancelled_calls_do_not_come(kind: type[Clock]) -> None:
    def scene(clock: Clock, noted: list[object]) -> None:
        first = clock.call_later(0.001, lambda: noted.append("first"))
        clock.call_later(0.02, lambda: noted.append("second"))
        first.cancel()
        first.cancel()

    assert ran(scene, until=1, kind=kind) == ["second"]


def test_call_is_not_early() -> None:
    def scene(clock: Clock, noted: list[object]) -> None:
        due_s = time.monotonic() + 0.0123
        clock.call_later(0.0123, lambda: noted.append(time.monotonic() >= due_s))

    assert ran(scene, until=1, kind=TimerFdClock) == [True]


def test_call_that_is_due_now_has_a_turn_of_its_own() -> None:
    def scene(clock: Clock, noted: list[object]) -> None:
        def again() -> None:
            noted.append("call")
            asyncio.get_running_loop().call_soon(noted.append, "turn")
            if len(noted) < 5:
                clock.call_later(0, again)

        clock.call_later(0, again)

    assert ran(scene, until=6, kind=TimerFdClock) == ["call", "turn"] * 3


def test_many_timers_that_are_set_and_cancelled_do_not_pile_up() -> None:
    def scene(clock: Clock, noted: list[object]) -> None:
        assert isinstance(clock, TimerFdClock)
        for _ in range(50 * CANCELLED_MIN):
            clock.call_later(60, lambda: noted.append("never")).cancel()
        assert len(clock._timers) <= 2 * CANCELLED_MIN
        clock.call_later(0.005, lambda: noted.append("kept"))

    assert ran(scene, until=1, kind=TimerFdClock) == ["kept"]


def test_call_that_fails_does_not_stop_the_others() -> None:
    failed: list[object] = []

    def scene(clock: Clock, noted: list[object]) -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: failed.append(context["exception"]))
        clock.call_later(0.001, lambda: noted[0])
        clock.call_later(0.001, lambda: noted.append("other"))

    assert ran(scene, until=1, kind=TimerFdClock) == ["other"]
    assert [type(error) for error in failed] == [IndexError]
