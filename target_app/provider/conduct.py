"""The behaviours in force, and how much of each is used up."""

import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from target_app.provider.behaviour import Behaviour, Call, Mode, delay_for, mode_for
from target_app.provider.pacing import Allowance, Queue


@dataclass(frozen=True)
class Asked:
    """A call, under the key that decides its fate."""

    call: Call
    key: str


@dataclass
class InForce:
    """A behaviour since it was set: whom it met, and how fast calls came."""

    behaviour: Behaviour
    affected: int = 0
    times: Counter[Asked] = field(default_factory=Counter)
    allowance: Allowance = field(init=False)
    queue: Queue = field(init=False)

    def __post_init__(self) -> None:
        self.allowance = Allowance(self.behaviour.rate_rps)
        self.queue = Queue(self.behaviour.rate_rps, longest_s=self.behaviour.delay_s)

    def affects(self, asked: Asked) -> bool:
        """Decide about a call. Each repetition under a key is decided anew, and all alike."""
        if not self.behaviour.concerns(asked.call):
            return False
        earlier = self.times[asked]
        self.times[asked] += 1
        key = f"{asked.key}#{earlier}" if earlier else asked.key
        mode = mode_for(self.behaviour, key=key, charges_before=self.affected)
        return mode is not Mode.NORMAL


@dataclass(frozen=True)
class Manner:
    """How an event is announced."""

    copies: int = 1
    concurrent: bool = False
    delay_s: float = 0.0
    lost: bool = False
    forged: bool = False
    held_s: float | None = None
    before_response: bool = False


class Conduct:
    """What the provider does to whom. Decisions have no pause in them, so counts are exact.

    The parts of a call ask in the order in which they come, so that one that was turned away
    uses up nothing of what would have happened later.
    """

    def __init__(
        self,
        behaviours: Iterable[Behaviour] = (),
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.behaviours = tuple(behaviours)
        self._clock = clock
        self._in_force = [InForce(behaviour) for behaviour in self.behaviours]

    def take(self, asked: Asked, *modes: Mode, effect: bool | None = None) -> Behaviour | None:
        """Return the first behaviour of `modes` that this call meets, and count it as met."""
        for each in self._in_force:
            wanted = each.behaviour.mode in modes and effect in (None, each.behaviour.effect)
            if wanted and each.affects(asked):
                each.affected += 1
                return each.behaviour
        return None

    def limited_s(self, asked: Asked) -> float | None:
        """Return how long the call has to wait for its turn, None if it is refused one."""
        wait_s = 0.0
        for each in self._in_force:
            if each.behaviour.mode not in (Mode.RATE_LIMIT, Mode.BROWNOUT):
                continue
            if not each.affects(asked):
                continue
            turn_s = self._turn_s(each)
            if turn_s is None:
                each.affected += 1
                return None
            wait_s = max(wait_s, turn_s)
        return wait_s

    def _turn_s(self, each: InForce) -> float | None:
        now_s = self._clock()
        if each.behaviour.mode is Mode.RATE_LIMIT:
            return 0.0 if each.allowance.admits(now_s) else None
        return each.queue.wait_s(now_s)

    def manner_of(self, call: Call, event_id: str) -> Manner:
        """Decide how the event of a call is announced."""
        asked = Asked(call, event_id)
        if self.take(asked, Mode.WEBHOOK_LOST):
            return Manner(lost=True)
        copied = self.take(asked, Mode.WEBHOOK_DUPLICATE)
        delayed = self.take(asked, Mode.WEBHOOK_DELAY)
        held = self.take(asked, Mode.WEBHOOK_REORDER)
        return Manner(
            copies=copied.copies if copied else 1,
            concurrent=copied is not None and copied.concurrent,
            delay_s=delay_for(delayed, key=event_id) if delayed else 0.0,
            forged=self.take(asked, Mode.WEBHOOK_BAD_SIGNATURE) is not None,
            held_s=held.delay_s if held else None,
            before_response=self.take(asked, Mode.WEBHOOK_BEFORE_RESPONSE) is not None,
        )
