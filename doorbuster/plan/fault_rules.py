"""What the faults of a plan need of the rest of the plan, and of each other."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from doorbuster.faults import Fault
from doorbuster.plan.overlaps import NODE_B, Timed, clashes, primary_at

if TYPE_CHECKING:
    from doorbuster.plan.model import Plan

_NEED_STANDBY: Final = ("failover", "lag", "restore")


def check_faults(plan: "Plan") -> None:
    """Raise on the first fault that could not be acted out."""
    for fault in plan.faults:
        _check_moment(plan, fault)
        _check_replicas(plan, fault)
        _check_lock(plan, fault)
    _check_roles(plan)
    timed = [Timed(fault, *plan.fault_span_s(fault)) for fault in plan.faults]
    _check_restores(timed)
    _check_overlaps(timed)


def _check_moment(plan: "Plan", fault: Fault) -> None:
    begins_s, ends_s = plan.fault_span_s(fault)
    baseline = plan.traffic.arrivals[0]
    if begins_s < baseline.lasts:
        raise ValueError(
            f"fault {fault.name!r} begins at {begins_s:g} s, expected after the first phase, "
            f"{baseline.phase!r}, which is the baseline ({baseline.lasts:g} s)"
        )
    if ends_s >= plan.length_s:
        raise ValueError(
            f"fault {fault.name!r} is lifted at {ends_s:g} s, expected before the last phase "
            f"ends ({plan.length_s:g} s): else its recovery is not seen"
        )


def _check_replicas(plan: "Plan", fault: Fault) -> None:
    replicas = plan.storefront.replicas
    _, _, number = fault.on.partition("storefront-")
    if number and fault.hooks is None and int(number) > replicas:
        raise ValueError(
            f"fault {fault.name!r} is on {fault.on}, expected storefront-1 to "
            f"storefront-{replicas}: `storefront.replicas` is {replicas}"
        )
    if fault.rolling is None:
        return
    if replicas < 2:
        raise ValueError(
            f"fault {fault.name!r} restarts replicas one after the other: expected at least 2 in "
            f"`storefront.replicas`, or the kind `restart`"
        )
    if 1 + len(fault.beats_s) < replicas:
        raise ValueError(
            f"fault {fault.name!r} ends before the last replica's turn: expected `for` above "
            f"{fault.rolling.every * (replicas - 1):g} s, for {replicas} replicas"
        )


def _check_lock(plan: "Plan", fault: Fault) -> None:
    if fault.lock is None:
        return
    if not any(fault.lock.sku in item.skus for item in plan.sale.items):
        raise ValueError(
            f"fault {fault.name!r} locks {fault.lock.sku!r}, expected a SKU of `sale.items`, "
            f"such as {plan.sale.items[0].skus[0]!r}"
        )


def _check_roles(plan: "Plan") -> None:
    """Follow who is primary: what needs a standby has none between failover and failback."""
    turned_by: Fault | None = None
    for fault in sorted(plan.faults, key=lambda fault: plan.fault_span_s(fault)[0]):
        if fault.failback is not None and turned_by is None:
            raise ValueError(
                f"fault {fault.name!r} has nothing to go back from: expected a failover before it"
            )
        if fault.word in _NEED_STANDBY and turned_by is not None:
            raise ValueError(
                f"fault {fault.name!r} needs a standby, and {turned_by.name!r} leaves none: "
                "expected a failback in between"
            )
        if fault.failover is not None:
            turned_by = fault
        elif fault.failback is not None:
            turned_by = None


def _check_restores(timed: Sequence[Timed]) -> None:
    """A restore brings both nodes back as it found them, and so may not end between two roles."""
    for restore in timed:
        if restore.fault.restore is not None and primary_at(restore.ends_s, timed) == NODE_B:
            raise ValueError(
                f"fault {restore.name!r} is lifted at {restore.ends_s:g} s, after a failover that "
                "began meanwhile: expected a failback in between"
            )


def _check_overlaps(timed: Sequence[Timed]) -> None:
    clash = next(clashes(timed), None)
    if clash is not None:
        raise ValueError(clash.why)
