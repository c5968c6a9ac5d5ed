"""The plan as a whole, and the moments that follow from it."""

from typing import Annotated, Any, Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator

from doorbuster.anchors import anchor_s
from doorbuster.budgets import Budget, BudgetText, StopCondition, StopText, parse_budget, parse_stop
from doorbuster.faults import NEED_REDIS, Fault, Frozen
from doorbuster.faults.chance import RandomFaults
from doorbuster.opening import opening_of
from doorbuster.operations import OPERATIONS
from doorbuster.plan.drawing import DEFAULT_SEED, with_drawn
from doorbuster.plan.fault_rules import check_faults
from doorbuster.plan.limits import Limits, most_at_once, peak_per_s
from doorbuster.plan.sale import Sale
from doorbuster.plan.storefront import Storefront, known_shop
from doorbuster.plan.target import ShopName, Target, require_reach
from doorbuster.plan.traffic import Traffic
from doorbuster.quantities import Duration, Whole

DEFAULT_GOOD_WITHIN_S = 1.0


class Plan(Frozen):
    """What one rehearsal intends."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,40}$")]
    description: str = ""
    seed: Annotated[Whole, Field(ge=0, lt=2**63)] = DEFAULT_SEED
    stack: Literal["embedded", "containers", "external"] = "embedded"
    target: Target | None = None
    shop: ShopName = "reference"
    storefront: Storefront = Storefront()
    sale: Sale
    traffic: Traffic
    faults: tuple[Fault, ...] = ()
    random: RandomFaults | None = Field(default=None, exclude=True)
    good_within: dict[str, Duration] = Field(default_factory=dict)
    budgets: tuple[BudgetText, ...] = ()
    stop: tuple[StopText, ...] = ()
    limits: Limits = Limits()

    @model_validator(mode="before")
    @classmethod
    def _drawn(cls, raw: Any, info: ValidationInfo) -> Any:
        """Add the faults that `random` draws: a resolved plan has them as any others."""
        return with_drawn(raw, info.context) if isinstance(raw, dict) else raw

    @field_validator("name")
    @classmethod
    def _no_other_meaning(cls, name: str) -> str:
        if name == "latest":
            raise ValueError("expected another name: `latest` means the latest run")
        return name

    @field_validator("target")
    @classmethod
    def _elsewhere_only(cls, target: Target | None, info: ValidationInfo) -> Target | None:
        if target is not None and info.data.get("stack") not in (None, "external"):
            raise ValueError("`target` is for `stack: external`: expected that as well")
        return target

    @field_validator("good_within")
    @classmethod
    def _known_operations(cls, limits: dict[str, float]) -> dict[str, float]:
        for op in limits:
            if op not in OPERATIONS:
                raise ValueError(
                    f"unknown operation {op!r}: expected one of {', '.join(OPERATIONS)}"
                )
        return limits

    @field_validator("faults")
    @classmethod
    def _names_once(cls, faults: tuple[Fault, ...]) -> tuple[Fault, ...]:
        names = [fault.name for fault in faults]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two faults are called {name!r}: give one another `name`")
        return faults

    @field_validator("faults")
    @classmethod
    def _within_reach(cls, faults: tuple[Fault, ...], info: ValidationInfo) -> tuple[Fault, ...]:
        if info.data.get("stack") == "external":
            for fault in faults:
                require_reach(fault)
        return faults

    @field_validator("faults")
    @classmethod
    def _on_what_is_there(
        cls, faults: tuple[Fault, ...], info: ValidationInfo
    ) -> tuple[Fault, ...]:
        shop, storefront = known_shop(info), info.data.get("storefront")
        if shop is None or storefront is None or shop.has_redis(storefront):
            return faults
        for fault in faults:
            if fault.on in NEED_REDIS:
                raise ValueError(
                    f"fault {fault.name!r} is on {fault.on}, and this shop has no Redis: "
                    f"expected {shop.ways_to_redis}"
                )
        return faults

    @model_validator(mode="after")
    def _knows_its_shop(self) -> "Plan":
        if self.stack == "external" and self.target is None:
            raise ValueError("`stack: external` wants a `target` with its `base_url`")
        if self.stack != "external" and opening_of(self.sale.opens_at).at is not None:
            raise ValueError(
                f"sale.opens_at is {self.sale.opens_at!r}, and this shop opens when it is told to: "
                "expected an anchor such as rush, or `stack: external`"
            )
        if self.stack == "external" and "storefront" in self.model_fields_set:
            default = self.storefront == Storefront()
            if not default:
                raise ValueError("`storefront` builds the reference shop: leave it out here")
        if self.sale.early_access and not self.traffic.personas.get("member"):
            raise ValueError(
                "`sale.early_access` does nothing without the persona `member` in traffic.personas"
            )
        if self.traffic.locustfile is not None and self.shop != "reference":
            raise ValueError("`shop` says how to speak to it and `traffic.locustfile` does as well")
        return self

    @model_validator(mode="after")
    def _fits_its_timeline(self) -> "Plan":
        check_faults(self)
        for meeting in self.traffic.rendezvous:
            at_s = anchor_s(meeting.at, self.phase_starts_s)
            if not 0 <= at_s < self.length_s:
                raise ValueError(f"a rendezvous is at {at_s:g} s, expected within the phases")
        opens_s, closes_s = self.opens_s, self.closes_s
        if not 0 <= opens_s < self.length_s:
            raise ValueError(f"sale.opens_at is at {opens_s:g} s, expected within the phases")
        if closes_s is not None and not opens_s < closes_s <= self.length_s:
            raise ValueError(
                f"sale.closes_at is at {closes_s:g} s, expected after opens_at ({opens_s:g} s) "
                f"and within the phases ({self.length_s:g} s)"
            )
        return self

    @model_validator(mode="after")
    def _within_limits(self) -> "Plan":
        peak, limits = peak_per_s(self.traffic), self.limits
        if peak > limits.rate:
            raise ValueError(
                f"traffic comes to {peak:g}/s at its peak, expected at most limits.rate "
                f"({limits.rate:g}/s)"
            )
        if self.length_s > limits.duration:
            raise ValueError(
                f"the phases last {self.length_s:g} s, expected at most limits.duration "
                f"({limits.duration:g} s)"
            )
        at_once = most_at_once([self.fault_span_s(fault) for fault in self.faults])
        if at_once > limits.concurrent_faults:
            raise ValueError(
                f"{at_once} faults are on at the same time, expected at most "
                f"limits.concurrent_faults ({limits.concurrent_faults})"
            )
        return self

    @property
    def phase_starts_s(self) -> dict[str, float]:
        """Second at which each phase starts, in order; the first starts at 0."""
        return self.traffic.phase_starts_s

    @property
    def length_s(self) -> float:
        """Seconds from the first phase's start to the last one's end."""
        return sum(phase.lasts for phase in self.traffic.arrivals)

    @property
    def baseline_s(self) -> float:
        """Length of the baseline, the first phase."""
        return self.traffic.arrivals[0].lasts

    @property
    def opens_s(self) -> float:
        """T0 on the run's clock."""
        anchor = opening_of(self.sale.opens_at).anchor
        return self.baseline_s if anchor is None else anchor_s(anchor, self.phase_starts_s)

    @property
    def closes_s(self) -> float | None:
        """The sale's end on the run's clock."""
        closes_at = self.sale.closes_at
        return None if closes_at is None else anchor_s(closes_at, self.phase_starts_s)

    def fault_span_s(self, fault: Fault) -> tuple[float, float]:
        """Return when `fault` begins and when its lifting starts, on the run's clock."""
        begins_s = anchor_s(fault.at, self.phase_starts_s)
        return begins_s, begins_s + fault.lifted_after_s

    def phase_span_s(self, phase: str) -> tuple[float, float]:
        """Return the start and end of `phase`."""
        lasts_s = next(p.lasts for p in self.traffic.arrivals if p.phase == phase)
        return self.phase_starts_s[phase], self.phase_starts_s[phase] + lasts_s

    def good_within_s(self, op: str) -> float:
        """Return the limit within which operation `op` counts as served and good."""
        return self.good_within.get(op, DEFAULT_GOOD_WITHIN_S)

    @property
    def parsed_budgets(self) -> tuple[Budget, ...]:
        return tuple(parse_budget(text) for text in self.budgets)

    @property
    def parsed_stops(self) -> tuple[StopCondition, ...]:
        return tuple(parse_stop(text) for text in self.stop)

    @property
    def rest_s(self) -> float:
        """How long the shop may take to come to rest, payments and retries apart."""
        return self.storefront.hold if self.target is None else self.target.settle

    @property
    def recovery_hold_s(self) -> float:
        """How long the shop must stay steady to count as recovered."""
        return max(5.0, 2 * self.traffic.timeout)

    def recovery_limit_s(self, fault: str) -> float | None:
        """Return the tightest recovery objective (RTO) that the budgets set for `fault`."""
        limits = (b.limit for b in self.parsed_budgets if b.measure.fault == fault)
        return min(limits, default=None)

    @property
    def max_lateness_s(self) -> float:
        """The p99 of lateness it may have: 50 ms, or a tenth of the tightest latency budget."""
        if self.traffic.max_lateness is not None:
            return self.traffic.max_lateness
        budgets = self.parsed_budgets
        limits = [b.limit for b in budgets if b.measure.metric == "percentile"]
        return min([0.05, *(limit / 10 for limit in limits)])
