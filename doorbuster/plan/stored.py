"""The plan as a run keeps it: `plan.json`, resolved, with seed, overrides and hash."""

import json
from typing import Any

from doorbuster.errors import DoorbusterError
from doorbuster.plan.model import Plan
from doorbuster.plan.reading import LoadedPlan
from doorbuster.rundir import SCHEMA_VERSION, RunDirectory, write_json


def store_plan(run: RunDirectory, loaded: LoadedPlan) -> None:
    """Write `plan.json`."""
    write_json(
        run.plan,
        {
            "schema": SCHEMA_VERSION,
            "run_id": run.run_id,
            "seed": loaded.plan.seed,
            "hash": loaded.digest,
            "source": loaded.source,
            "overrides": list(loaded.overrides),
            "plan": loaded.resolved,
        },
    )


def stored_plan(run: RunDirectory) -> dict[str, Any]:
    """Return the content of `plan.json`; the plan itself is under `plan`."""
    try:
        stored: dict[str, Any] = json.loads(run.plan.read_bytes())
    except (OSError, ValueError) as error:
        raise DoorbusterError(f"{run.plan}: {error}; expected a run directory") from error
    if stored.get("schema") != SCHEMA_VERSION:
        raise DoorbusterError(
            f"{run.plan}: schema {stored.get('schema')!r}, expected {SCHEMA_VERSION}: "
            "read this run with the version of Doorbuster that wrote it"
        )
    return stored


def read_plan(run: RunDirectory) -> Plan:
    """Return the plan that a run was made by."""
    return Plan.model_validate(stored_plan(run)["plan"])
