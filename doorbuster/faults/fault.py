"""One fault of a plan: what breaks, on what, when and for how long."""

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import AfterValidator, Field, ValidationInfo, field_validator, model_validator

from doorbuster.anchors import Anchor
from doorbuster.faults.database import Connections, Failback, Failover, Lag, Lock, Restore
from doorbuster.faults.hooks import Hooks
from doorbuster.faults.kind import Frozen
from doorbuster.faults.network import (
    Bandwidth,
    Blackhole,
    Down,
    Flap,
    Latency,
    LimitData,
    Partition,
    ResetPeer,
    Slicer,
    SlowClose,
    Timeout,
)
from doorbuster.faults.processes import CrashLoop, Hog, Kill, Pause, Restart, Rolling
from doorbuster.faults.provider import Respond
from doorbuster.faults.redis import Flush
from doorbuster.faults.table import COMPONENTS, KINDS, component_takes
from doorbuster.quantities import Duration

NetworkKind = (
    Latency
    | Bandwidth
    | Timeout
    | Blackhole
    | ResetPeer
    | SlowClose
    | Slicer
    | LimitData
    | Down
    | Flap
    | Partition
)
ProcessKind = Kill | Pause | Restart | Rolling | CrashLoop | Hog
PostgresKind = Failover | Failback | Lag | Lock | Connections | Restore
FaultKind = NetworkKind | ProcessKind | PostgresKind | Flush | Respond | Hooks
"""Every kind there is: who translates them all is told by the type checker of a new one."""


def default_name(on: object, kinds: Sequence[str]) -> str:
    """Return what a fault without a name of its own is called: "<component> <kind>"."""
    return f"{on} {' '.join(kinds).replace('_', ' ')}"


def _not_empty(text: str) -> str:
    if not text.strip():
        raise ValueError(f"expected one of {', '.join(COMPONENTS)}, or any name with `hooks`")
    return text


class Fault(Frozen):
    """Exactly one kind, on one component, at an anchor.

    Either `for` says how long it lasts, or its kind ends by itself (failover, failback, restart,
    flush; kill with `restart_after`). `name` is what budgets and reports call it.
    """

    at: Anchor
    lasts: Duration | None = Field(default=None, alias="for")
    # Before `on`, which may have any name when commands know what it means.
    hooks: Hooks | None = None
    on: Annotated[str, AfterValidator(_not_empty)]
    name: str = ""
    latency: Latency | None = None
    bandwidth: Bandwidth | None = None
    timeout: Timeout | None = None
    blackhole: Blackhole | None = None
    reset_peer: ResetPeer | None = None
    slow_close: SlowClose | None = None
    slicer: Slicer | None = None
    limit_data: LimitData | None = None
    down: Down | None = None
    flap: Flap | None = None
    partition: Partition | None = None
    kill: Kill | None = None
    pause: Pause | None = None
    restart: Restart | None = None
    rolling: Rolling | None = None
    crash_loop: CrashLoop | None = None
    hog: Hog | None = None
    failover: Failover | None = None
    failback: Failback | None = None
    lag: Lag | None = None
    lock: Lock | None = None
    connections: Connections | None = None
    restore: Restore | None = None
    flush: Flush | None = None
    respond: Respond | None = None

    @field_validator("on")
    @classmethod
    def _known_component(cls, on: str, info: ValidationInfo) -> str:
        if info.data.get("hooks") is None and not component_takes(on):
            raise ValueError(f"unknown component: expected one of {', '.join(COMPONENTS)}")
        return on

    @model_validator(mode="before")
    @classmethod
    def _named(cls, raw: Any) -> Any:
        """Give the fault its default name, "<component> <kind>"."""
        if isinstance(raw, dict) and not raw.get("name"):
            kinds = [kind for kind in KINDS if raw.get(kind) is not None]
            return {**raw, "name": default_name(raw.get("on"), kinds)}
        return raw

    @model_validator(mode="after")
    def _consistent(self) -> "Fault":
        named = [kind for kind in KINDS if getattr(self, kind) is not None]
        if len(named) != 1:
            raise ValueError(
                f"expected exactly one kind of fault ({', '.join(KINDS)}), got "
                f"{' and '.join(named) or 'none'}"
            )
        takes = (*component_takes(self.on), "hooks")
        if named[0] not in takes:
            raise ValueError(f"{self.on} takes {', '.join(takes)}, not {named[0]}")
        self._check_end(ends_itself=self.ends_after_s is not None)
        return self

    def _check_end(self, *, ends_itself: bool) -> None:
        if ends_itself and self.lasts is not None:
            raise ValueError("this fault ends by itself: expected no `for`")
        if not ends_itself and self.lasts is None:
            raise ValueError("expected `for`, the time until it is lifted")
        if self.lifted_after_s <= 0:
            raise ValueError("expected a fault to last longer than 0s")

    @property
    def kind(self) -> FaultKind:
        """The fault's kind, with its settings."""
        kind: FaultKind = getattr(self, self.word)
        return kind

    @property
    def word(self) -> str:
        """The plan's word for the kind, such as `reset_peer`."""
        return next(word for word in KINDS if getattr(self, word) is not None)

    @property
    def ends_after_s(self) -> float | None:
        """Seconds after which a fault that ends by itself begins to be lifted."""
        return self.kind.ends_after_s

    @property
    def lifted_after_s(self) -> float:
        """Seconds from its begin to the moment its lifting starts."""
        own = self.ends_after_s
        length = own if own is not None else self.lasts
        assert length is not None, "checked when the plan was read"
        return length

    @property
    def beats_s(self) -> tuple[float, ...]:
        """Seconds from its begin to each moment at which it acts again."""
        return self.kind.beats_s(self.lifted_after_s)
