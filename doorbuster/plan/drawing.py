"""A plan's `random`, made into faults like any others, which go together with those it names."""

from collections.abc import Callable, Mapping
from typing import Any

from pydantic import TypeAdapter, ValidationError

from doorbuster.anchors import anchor_s
from doorbuster.faults import Fault
from doorbuster.faults.chance import Lines, RandomFaults, as_faults
from doorbuster.faults.lots import Ground
from doorbuster.plan.overlaps import Timed, clashes
from doorbuster.plan.sale import Sale
from doorbuster.plan.storefront import Storefront
from doorbuster.plan.traffic import Traffic

DEFAULT_SEED = 7
_FAULTS = TypeAdapter(tuple[Fault, ...])


def with_drawn(raw: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """Return a plan as it was read with the faults that its `random` draws, if it has any.

    So a run is repeated by its plan.json, whatever this version or another one would draw.
    """
    if raw.get("random") is None:
        return dict(raw)
    try:
        wanted = RandomFaults.model_validate(raw["random"], context=context)
        sale = Sale.model_validate(raw.get("sale"), context=context)
        built = Storefront.model_validate(raw.get("storefront", {}), context=context)
        named = _FAULTS.validate_python(raw.get("faults") or (), context=context)
        traffic = Traffic.model_validate(raw.get("traffic"), context=context)
    except ValidationError:
        return dict(raw)  # told with all other mistakes, as those of the fields
    seed = wanted.seed if wanted.seed is not None else raw.get("seed", DEFAULT_SEED)
    ground = Ground([item.skus for item in sale.items], built.replicas)
    fits = _beside(named, traffic.phase_starts_s)
    drawn = as_faults(wanted, seed=seed, ground=ground, fits=fits)
    if not drawn:
        raise ValueError(
            f"`random` draws no fault with seed {seed}: expected a longer `for`, a higher "
            "`rate` or another `seed`"
        )
    return {**raw, "faults": [*(raw.get("faults") or ()), *drawn]}


def _beside(
    named: tuple[Fault, ...], phase_starts_s: Mapping[str, float]
) -> Callable[[Lines], bool]:
    """Return what says whether drawn faults go together with those that the plan names."""

    def timed(fault: Fault) -> Timed:
        begins_s = anchor_s(fault.at, phase_starts_s)
        return Timed(fault, begins_s, begins_s + fault.lifted_after_s)

    there = [timed(fault) for fault in named]

    def fits(lines: Lines) -> bool:
        drawn = [timed(Fault.model_validate(line)) for line in lines]
        names = {one.name for one in drawn}
        return not any(names & {c.one, c.other} for c in clashes([*there, *drawn]))

    return fits
