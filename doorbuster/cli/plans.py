"""Commands about plans: `plans`, `strategies`, `validate`, `schema`; and how others find a plan."""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from doorbuster.cli.adapters import require_files
from doorbuster.errors import DoorbusterError, PlanError
from doorbuster.plan import KnownShop, LoadedPlan, Plan, load_plan
from doorbuster.plan.reading import read_plan_file

DEFAULT_PLAN = "doorbuster"

PlanArgument = Annotated[
    str, typer.Argument(metavar="PLAN", help="A ready plan's name, or the path of a plan file.")
]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="PATH=VALUE",
        help="Change one value, such as traffic.arrivals.rush.rate=80/s. Repeatable.",
    ),
]
SeedOption = Annotated[int | None, typer.Option("--seed", help="Same as --set seed=N.")]


WorkersOption = Annotated[
    int | None,
    typer.Option("--workers", metavar="N", help="Same as --set traffic.workers=N."),
]


def find_plan(
    name: str,
    *,
    changes: Sequence[str] = (),
    seed: int | None = None,
    workers: int | None = None,
) -> LoadedPlan:
    """Read the plan that `name` means and apply the changes of the command line."""
    options = {"seed": seed, "traffic.workers": workers}
    overrides = [*changes, *(f"{k}={v}" for k, v in options.items() if v is not None)]
    source, text = _text_of(name)
    loaded = load_plan(text, source=source, overrides=overrides, shop=reference_shop())
    require_files(loaded.plan)
    return loaded


def ready_plans() -> dict[str, str]:
    """Return the texts of the ready plans by name."""
    folder = resources.files("doorbuster") / "plans"
    return {
        Path(entry.name).stem: entry.read_text(encoding="utf-8")
        for entry in sorted(folder.iterdir(), key=lambda entry: entry.name)
        if entry.name.endswith(".yaml")
    }


@cache
def described() -> dict[str, Any]:
    """Return what the reference shop says of its strategies and flaws."""
    command = (sys.executable, "-m", "target_app", "describe")
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    if done.returncode != 0:
        raise DoorbusterError(f"{' '.join(command)} failed: {done.stderr.strip()}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def reference_shop() -> KnownShop:
    return KnownShop.from_description(described())


def plans() -> None:
    """List the ready plans."""
    table = Table("plan", "what it rehearses", "takes about", box=None, pad_edge=False)
    for name, text in ready_plans().items():
        plan = load_plan(text, source=name).plan
        table.add_row(
            name,
            first_sentence(plan.description),
            f"{plan.length_s + plan.traffic.warmup + 30:.0f} s",
        )
    Console().print(table)


def first_sentence(text: str) -> str:
    """Return what a drill is about; the plan itself goes on with what to expect of it."""
    return text.partition(". ")[0].removesuffix(".")


def strategies() -> None:
    """List the reference shop's reservation strategies, wrong ones included, and planted bugs."""
    table = airy_table("reservation", "", "what it does", "a wrong one is seen by")
    for strategy in described()["strategies"]:
        right = "correct" if strategy["correct"] else "WRONG"
        table.add_row(strategy["id"], right, *explained(strategy))
    Console().print(table)
    if described()["flaws"]:
        table = airy_table("flaws", "what is wrong", "is seen by")
        for flaw in described()["flaws"]:
            table.add_row(flaw["id"], *explained(flaw))
        Console().print("\n", table, sep="")


def airy_table(*columns: str) -> Table:
    """Return a table whose rows, of several lines each, have a line of air between them."""
    return Table(*columns, box=None, pad_edge=False, padding=(0, 2, 1, 0))


def explained(entry: Mapping[str, Any]) -> tuple[str, str]:
    """Return what a strategy or flaw does, with what it needs, and which checks see it."""
    needs = f" (needs {', '.join(entry['needs'])})" if entry["needs"] else ""
    return f"{entry['title']}: {entry['why']}{needs}", ", ".join(entry["seen_by"])


ProbeOption = Annotated[
    bool,
    typer.Option("--probe", help="Try the adapter on a running shop; reserves and pays one unit."),
]
AtOption = Annotated[
    str | None,
    typer.Option("--at", metavar="URL", help="The shop to probe, if the plan has no `target`."),
]


def validate(
    plan: PlanArgument,
    changes: SetOption = None,
    seed: SeedOption = None,
    workers: WorkersOption = None,
    probe_: ProbeOption = False,
    at: AtOption = None,
) -> None:
    """Read a plan, report every mistake, and print what it amounts to."""
    loaded = find_plan(plan, changes=changes or (), seed=seed, workers=workers)
    print(f"{loaded.source}: valid. {summary_of(loaded.plan)}")
    if at is not None and not probe_:
        raise PlanError(f"--at {at}: expected --probe with it")
    if probe_:
        # Here and not above: only a probe needs what talks to a shop.
        from doorbuster.cli.probe import probe  # noqa: PLC0415

        probe(loaded.plan, at)


def schema() -> None:
    """Print the JSON Schema of plans."""
    print(json.dumps(Plan.model_json_schema(by_alias=True), indent=2))


def summary_of(plan: Plan) -> str:
    """Return what a plan amounts to, in one sentence."""
    faults = ", ".join(fault.name for fault in plan.faults) or "no faults"
    sessions = f"{plan.traffic.sessions} sessions in {plan.length_s:g} s"
    return f"{sessions}; {faults}; {len(plan.budgets)} budgets."


def _text_of(name: str) -> tuple[str, str]:
    if "/" in name or name.endswith((".yaml", ".yml")):
        return name, read_plan_file(Path(name))
    known = ready_plans()
    if name not in known:
        raise PlanError(
            f"plan {name!r}: expected a path with a slash or ending in .yaml, or one of "
            f"{', '.join(known)}"
        )
    return name, known[name]
