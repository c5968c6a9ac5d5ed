"""Carrying a step out: attempts under one key, back-off between them, polling while pending."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from msgspec.structs import replace

from doorbuster.operations import Attempt
from scenarios.adapters.operations import Poll
from scenarios.manners import POLITE, Manners, asked_to_wait_s
from scenarios.outcome import (
    INFO_NOT_FINAL,
    INFO_STOPPED,
    NOTHING,
    Answer,
    Extracted,
    Judgement,
    Reply,
    of_operation,
)
from scenarios.shop import Shop
from scenarios.staging import ALONE, Staging
from scenarios.step import Result, Step


class Clock(Protocol):
    """The run's clock."""

    def now_s(self) -> float: ...
    def sleep_until(self, at_s: float) -> None: ...


class Wire(Protocol):
    """One session's connection: a request's bytes in, its reply out, within the timeout."""

    def exchange(self, request: bytes) -> Reply: ...


class Recorder(Protocol):
    """Writes down what is about to happen and what came of it.

    What was `begun` and is neither `answered` nor `completed` after a while is taken for an error;
    `answered` takes it back until it is begun again, such as right before its completion.
    """

    def begun(self, step: Step) -> None: ...
    def answered(self, step: Step) -> None: ...
    def invoked(self, step: Step, at_s: float) -> None: ...
    def completed(self, step: Step, result: Result) -> None: ...


Watcher = Callable[[Step, str, Reply, Judgement, float], None]
"""Told of every HTTP request: its step, method, reply, meaning, and the second it began."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all sessions of a process share; but manners and jitter are those of each shopper."""

    operations: Shop
    clock: Clock
    recorder: Recorder
    watch: Watcher
    patience_s: float
    jitter: random.Random
    manners: Manners = POLITE
    staging: Staging = ALONE


@dataclass(slots=True)
class _Trial:
    """One step's attempts so far; `began_s` while one is under way.

    `sent_s` is the send of its first request, `reply` what its last one got; `was_pending` says
    that the shop knows of it, so that it does not hang however long it takes.
    """

    step: Step
    wire: Wire
    around: Surroundings
    attempts: list[Attempt] = field(default_factory=list)
    extracted: Extracted = NOTHING
    began_s: float | None = None
    sent_s: float | None = None
    reply: Reply | None = None
    service_from_s: float | None = None
    was_pending: bool = False

    def once(self) -> bool:
        """Make one attempt and return whether another may help, and can do no harm."""
        step, around = self.step, self.around
        spoken = around.operations[step.op]
        self.began_s = around.clock.now_s()
        self.sent_s, self.reply = None, None
        judgement = spoken.perform(step, self)
        ended_s = self.reply.ended_s if self.reply else around.clock.now_s()
        if judgement.outcome == "pending":
            assert spoken.poll, "the adapter lets nothing be pending that cannot be polled"
            around.recorder.answered(step)
            self.was_pending = True
            judgement = _until_final(step, judgement, spoken.poll, self.wire, around)
            ended_s = around.clock.now_s()
        assert judgement.outcome != "pending"
        assert judgement.outcome != "next"
        self.attempts.append(
            Attempt(
                outcome=judgement.outcome,
                ended_s=ended_s,
                sent_s=self.sent_s,
                reason=judgement.reason,
                status=self.reply.status if isinstance(self.reply, Answer) else None,
                order_id=judgement.extracted.order_id,
            )
        )
        self.service_from_s = self.began_s if self.sent_s is None else self.sent_s
        self.began_s = None
        self.extracted = judgement.extracted
        if judgement.outcome == "info" and step.has_effect and not spoken.repeatable:
            return False
        return judgement.retry

    def ask(self, method: str, request: bytes, judge: Callable[[Reply], Judgement]) -> Judgement:
        """Send one request of the attempt, and tell the watcher what came of it."""
        began_s = self.around.clock.now_s()
        reply = self.reply = self.wire.exchange(request)
        if self.sent_s is None:
            self.sent_s = reply.sent_s
        judgement = judge(reply)
        self.around.watch(self.step, method, reply, judgement, began_s)
        return judgement

    @property
    def asked_s(self) -> float | None:
        """How long the last answer asked to wait."""
        return None if self.reply is None else asked_to_wait_s(self.reply)

    def stop(self) -> None:
        """End an attempt that is still under way: its request may have arrived."""
        if self.began_s is not None:
            now_s = self.around.clock.now_s()
            attempt = Attempt("info", ended_s=now_s, sent_s=self.began_s, reason=INFO_STOPPED)
            self.attempts.append(attempt)
            self.service_from_s = self.began_s

    def result(self) -> Result:
        outcome, reason = of_operation(self.attempts)
        ended_s = self.attempts[-1].ended_s if self.attempts else self.around.clock.now_s()
        from_s = self.step.due_s if self.service_from_s is None else self.service_from_s
        found = self.extracted
        return Result(
            outcome=outcome,
            reason=reason,
            ended_s=ended_s,
            service_from_s=from_s,
            attempts=tuple(self.attempts),
            extracted=found,
            asked_s=self.asked_s,
        )


def carry_out(step: Step, wire: Wire, around: Surroundings, *, tries: int = 1000) -> Result:
    """Perform `step`, trying again under its key within the shopper's patience, and record it.

    The invocation is recorded before anything is sent and the completion whatever happens, also
    when the session is ended in the middle: what then was under way is unknown.
    """
    around.recorder.begun(step)
    if step.has_effect:
        around.recorder.invoked(step, around.clock.now_s())
    trial = _Trial(step, wire, around)
    try:
        while trial.once() and len(trial.attempts) < tries:
            failures = len(trial.attempts)
            wait_s = around.manners.wait_s(failures, around.jitter, asked_s=trial.asked_s)
            retry_s = around.clock.now_s() + wait_s
            if retry_s > step.due_s + around.patience_s:
                break
            around.clock.sleep_until(retry_s)
    finally:
        trial.stop()
        result = trial.result()
        if trial.was_pending:
            around.recorder.begun(step)
        around.recorder.completed(step, result)
    return result


def _until_final(
    step: Step, pending: Judgement, poll: Poll, wire: Wire, around: Surroundings
) -> Judgement:
    """Ask for the order's state until it is final or the shopper's patience is over."""
    order_id = pending.extracted.order_id or step.order_id
    for number in range(1, 1000):
        due_s = around.clock.now_s() + poll.every
        if due_s > step.due_s + around.patience_s:
            break
        around.clock.sleep_until(due_s)
        question = replace(
            step,
            id=f"{step.id}-{number}",
            op=poll.operation,
            due_s=due_s,
            key=None,
            order_id=order_id,
        )
        found = carry_out(question, wire, around, tries=1).extracted
        if found.state in poll.ok:
            if found.order_id is None:
                found = replace(found, order_id=order_id)
            return Judgement("ok", extracted=found)
        if found.state in poll.fail:
            return Judgement("fail", poll.fail[found.state], extracted=found)
    return Judgement("info", INFO_NOT_FINAL)
