"""Everything a traffic process writes into the run directory, as it happens."""

from collections.abc import Iterator
from math import floor
from pathlib import Path
from typing import Final

import msgspec

from doorbuster.operations import OPERATIONS, TELLING, OperationEvent
from doorbuster.plan.model import Plan
from doorbuster.rundir import RunDirectory
from scenarios import latency
from scenarios.appending import AppendedFile
from scenarios.counts import GeneratorCounts, OperationCounts, is_refused
from scenarios.latency import LATENESS, Latencies
from scenarios.shopper import Shopper
from scenarios.step import Result, Step
from scenarios.visit import Visit, VisitCounts

_TAGS: Final = {op: (f"{op}.intended", f"{op}.service") for op in OPERATIONS}


class Recording:
    """One process's files: operations line by line, series once a second, latencies later."""

    def __init__(
        self, run: RunDirectory, plan: Plan, *, index: int, started_epoch_s: float
    ) -> None:
        self._encode = msgspec.json.Encoder().encode
        self._timeout_s = plan.traffic.timeout
        (
            self._operations,
            self._operation_seconds,
            self._generator_seconds,
            self._funnel_seconds,
            self._latency_log,
        ) = map(AppendedFile, files_of(run, index))
        self._latency_log.append(latency.header(started_epoch_s))
        self._counts = OperationCounts(_limits(plan))
        self._arrivals = GeneratorCounts(worker=index)
        self._visits = VisitCounts()
        self._latencies = Latencies()

    def started(self, due_s: float, now_s: float) -> None:
        """Count an arrival that began, and how late it was."""
        second = floor(due_s)
        self._arrivals.started(second)
        self._latencies.add(second, LATENESS, max(0.0, now_s - due_s))

    def missed(self, due_s: float) -> None:
        """Count an arrival that could not begin."""
        self._arrivals.missed(floor(due_s))

    def left(self, shopper: Shopper, visit: Visit) -> None:
        """Count a visit that has ended."""
        self._visits.count(shopper, visit)

    def begun(self, step: Step) -> None:
        """Count an operation whose outcome nobody knows yet."""
        self._counts.begun(floor(step.due_s), step.op)

    def answered(self, step: Step) -> None:
        """Take back that an operation was begun: it does not hang, whatever becomes of it."""
        self._counts.answered(floor(step.due_s), step.op)

    def invoked(self, step: Step, at_s: float) -> None:
        """Write down an operation that may change the shop, before its first byte leaves."""
        self._write(
            OperationEvent(
                type="invoke",
                id=step.id,
                op=step.op,
                at_s=at_s,
                due_s=step.due_s,
                arrival=step.arrival,
                step=step.number,
                persona=step.persona,
                user_ref=step.user_ref,
                client_ref=step.client_ref,
                key=step.key,
                sku=step.sku,
                qty=step.qty,
                order_id=step.order_id,
            )
        )

    def completed(self, step: Step, result: Result) -> None:
        """Count a step's outcome, and write it down if it had an effect or told something.

        What was ok, refused or unknown has both latencies kept. An unknown one counts with at
        least the client's timeout, so that a fast reset does not make a percentile look better
        than waiting would have.
        """
        op, due_s = step.op, step.due_s
        second = floor(due_s)
        refused = is_refused(result)
        outcome = "refused" if refused else result.outcome
        intended_s = result.ended_s - due_s
        self._counts.count(second, op, outcome, intended_s)
        if outcome != "fail":
            service_s = result.ended_s - result.service_from_s
            if outcome == "info":
                intended_s = max(self._timeout_s, intended_s)
                service_s = max(self._timeout_s, service_s)
            intended, service = _TAGS[op]
            self._latencies.add(second, intended, intended_s)
            self._latencies.add(second, service, service_s)
        if step.has_effect:
            self._write(_completion(step, result))
        elif op in TELLING and outcome == "ok":
            self._write(_answer(step, result))

    def flush_second(self, second: int, *, in_flight: int, cpu_share: float) -> None:
        """Write what became known up to the end of `second`."""
        operations = b"".join(self._encode(row) + b"\n" for row in self._counts.flush())
        if operations:
            self._operation_seconds.append(operations)
        visits = b"".join(self._encode(row) + b"\n" for row in self._visits.flush())
        if visits:
            self._funnel_seconds.append(visits)
        generator = self._arrivals.flush(second, in_flight=in_flight, cpu_share=cpu_share)
        self._generator_seconds.append(b"".join(self._encode(row) + b"\n" for row in generator))

    def flush_latencies(self, *, before_s: float) -> Iterator[None]:
        """Write the latencies of the seconds before `before_s`; yield often, for others to run."""
        for line in self._latencies.lines(before_s=before_s):
            if line:
                self._latency_log.append(line)
            yield

    def close(self) -> None:
        for file in (
            self._operations,
            self._operation_seconds,
            self._generator_seconds,
            self._funnel_seconds,
            self._latency_log,
        ):
            file.close()

    def _write(self, event: OperationEvent) -> None:
        self._operations.append(self._encode(event) + b"\n")


def files_of(run: RunDirectory, index: int) -> tuple[Path, Path, Path, Path, Path]:
    """Return what one process writes: operations, their seconds, its own, visits, latencies."""
    return (
        run.operations / f"traffic-{index}.ndjson",
        run.series / f"operations-{index}.ndjson",
        run.series / f"generator-{index}.ndjson",
        run.series / f"funnel-{index}.ndjson",
        run.latency / f"{index}.hlog",
    )


def _limits(plan: Plan) -> dict[str, float]:
    return {op: plan.good_within_s(op) for op in OPERATIONS}


def _completion(step: Step, result: Result) -> OperationEvent:
    return OperationEvent(
        type=result.outcome,
        id=step.id,
        op=step.op,
        at_s=result.ended_s,
        client_ref=step.client_ref,
        order_id=result.extracted.order_id or step.order_id,
        reason=result.reason,
        amount=result.extracted.amount,
        state=result.extracted.state,
        attempts=result.attempts,
    )


def _answer(step: Step, result: Result) -> OperationEvent:
    said = result.extracted
    return OperationEvent(
        type="read",
        id=step.id,
        op=step.op,
        at_s=result.ended_s,
        due_s=step.due_s,
        arrival=step.arrival,
        step=step.number,
        sku=step.sku if step.op == "stock" else None,
        client_ref=step.client_ref if step.op == "status" else None,
        order_id=said.order_id,
        amount=said.amount,
        state=said.state,
        available=said.available,
        reserved=said.reserved,
        sold=said.sold,
    )
