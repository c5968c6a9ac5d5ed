"""The shop that a plan drives: how to reach it, what it offers, and its back office."""

import shutil
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from doorbuster.backoffice import BackOffice
from doorbuster.cli.adapters import adapter_of, shop_of
from doorbuster.clock import Clock
from doorbuster.components import Topology
from doorbuster.errors import PlanError
from doorbuster.levels import Offer
from doorbuster.plan import Plan
from doorbuster.rundir import RunDirectory
from doorbuster.samples import sampling
from doorbuster.target_office import TargetOffice, secrets_of
from doorbuster.trust import trusting


def require_means(plan: Plan) -> None:
    """Insist on what only the run itself needs: the books' secrets, the programs of `hooks`.

    A fault whose `end` cannot be run would stay; better not to begin it.
    """
    if plan.target is not None:
        secrets_of(plan.target)
    for fault in plan.faults:
        if fault.hooks is None:
            continue
        for moment in ("begin", "end", "verify"):
            command = getattr(fault.hooks, moment)
            if command is not None and shutil.which(command[0]) is None:
                raise PlanError(
                    f"fault {fault.name!r}: hooks.{moment}: {command[0]!r} is no program here: "
                    "expected one on PATH, or the path of an executable file"
                )


def offers_of(plan: Plan) -> list[Offer]:
    """Return what there is to judge a run by."""
    offers: list[Offer] = []
    if plan.traffic.locustfile is None:
        offers.append("operations")
        offers += ["client_ref"] if shop_of(plan).carries_reference else []
    if plan.target is None:
        return [*offers, "ledger", "provider", "faults"]
    if plan.target.ledger:
        offers.append("ledger")
    if plan.target.provider:
        offers.append("provider")
    if any(fault.hooks for fault in plan.faults):
        offers.append("faults")
    return offers


def way_to(plan: Plan, topology: Topology) -> dict[str, Any]:
    """Return what the traffic's order says of how to reach and to speak to the shop."""
    way: dict[str, Any] = {"adapter": adapter_of(plan), "via": topology.via}
    if plan.target is not None:
        way["allow_hosts"] = plan.target.allow_hosts
    return way


def office_of(plan: Plan, topology: Topology, run: RunDirectory) -> BackOffice:
    if plan.target is not None:
        trust = trusting(plan.traffic.ca_file)
        return TargetOffice(plan.target, topology, run, trust=trust)
    return BackOffice(topology, run)


def samples_of(
    plan: Plan, topology: Topology, clock: Clock, run: RunDirectory
) -> AbstractContextManager[None]:
    """Sample the shop's inside, where it is ours to look into."""
    return nullcontext() if plan.target is not None else sampling(topology, clock, run)
