"""Long work of the generator in turns: everybody else comes in between."""

import time
from collections.abc import Iterator

import gevent

from scenarios.pacing import spread


def test_between_two_turns_there_is_time_for_much_else() -> None:
    """Others get more time than the work itself, not just one turn each."""
    seen: list[str] = []

    def work() -> Iterator[None]:
        for _ in range(3):
            seen.append("work")
            _be_busy(0.004)
            yield

    def other() -> None:
        while True:
            seen.append("other")
            gevent.sleep(0.001)

    others = gevent.spawn(other)
    spread(work())
    others.kill()
    turns = "".join("w" if who == "work" else "o" for who in seen).split("w")
    assert len(turns) == 4
    assert all(turn.count("o") >= 3 for turn in turns[1:])


def _be_busy(for_s: float) -> None:
    until_s = time.perf_counter() + for_s
    while time.perf_counter() < until_s:
        pass
