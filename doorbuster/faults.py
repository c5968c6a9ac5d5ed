"""Faults as values: what breaks, on what, when and for how long. How it is done is in `chaos`."""

import re
from collections.abc import Sequence
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from doorbuster.anchors import Anchor
from doorbuster.quantities import Duration, Share

CONNECTIONS: Final = ("edge", "payments", "webhooks", "redis", "replication")
"""Connections through the proxy, besides `postgres`, which means both nodes' proxies."""

NEED_REDIS: Final = ("redis", "redis-server")
"""Components that only a shop built on Redis has."""

_PROCESS: Final = re.compile(r"storefront(-[1-9]\d*)?|postgres-[ab]|redis-server|provider")


class Frozen(BaseModel):
    """A part of a plan: frozen, and no key that is not known."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Latency(Frozen):
    """Every chunk of data waits `delay`, plus or minus up to `jitter`."""

    delay: Duration
    jitter: Duration = 0.0


class Timeout(Frozen):
    """Data is swallowed; the connection closes after `after` without any, or never."""

    after: Duration = 0.0


class ResetPeer(Frozen):
    """The connection is reset `after` the first data."""

    after: Duration = 0.0


class Down(Frozen):
    """Connections are refused and open ones closed."""


class Kill(Frozen):
    """The processes end at once, as in a crash; they start again at the fault's end."""

    restart_after: Duration | None = None


class Pause(Frozen):
    """The processes stop without closing anything; they go on at the fault's end."""


class Failover(Frozen):
    """The primary database dies and the standby takes over.

    Args:
        detection: How long it takes until anything is done about it.
        fence: Shut the old primary's proxies before promoting, so that it cannot take writes.
        lose: `machine` cuts replication in the instant before the kill, so that what was under
            way to the standby is lost as it would be with the machine.
    """

    detection: Duration = 3.0
    fence: bool = True
    lose: Literal["process", "machine"] = "process"


class Respond(Frozen):
    """The payment provider answers differently.

    Args:
        mode: `slow` answers after `delay`; `timeout_after_capture` takes the money and never
            answers.
        share: This share of the requests; all when neither `share` nor `first` is given.
        first: This many requests, then as before.
    """

    mode: Literal["slow", "timeout_after_capture"]
    share: Share | None = None
    first: Annotated[int, Field(ge=1)] | None = None
    delay: Duration = 2.0


FaultKind = Latency | Timeout | ResetPeer | Down | Kill | Pause | Failover | Respond

_NETWORK: Final = ("latency", "timeout", "reset_peer", "down")
KINDS: Final = (*_NETWORK, "kill", "pause", "failover", "respond")


def component_takes(on: str) -> tuple[str, ...]:
    """Return the kinds of fault that `on` takes; none when there is no such component."""
    if on in CONNECTIONS:
        return _NETWORK
    if on == "postgres":
        return (*_NETWORK, "failover")
    if on == "provider":
        return ("kill", "pause", "respond")
    return ("kill", "pause") if _PROCESS.fullmatch(on) else ()


_COMPONENTS: Final = (
    *CONNECTIONS,
    "postgres",
    "storefront",
    "storefront-N",
    "postgres-a",
    "postgres-b",
    "redis-server",
    "provider",
)


def _known_component(on: Any) -> Any:
    if isinstance(on, str) and not component_takes(on):
        raise ValueError(f"unknown component: expected one of {', '.join(_COMPONENTS)}")
    return on


def default_name(on: object, kinds: Sequence[str]) -> str:
    """Return what a fault without a name of its own is called: "<component> <kind>"."""
    return f"{on} {' '.join(kinds).replace('_', ' ')}"


class Fault(Frozen):
    """One fault of a plan: exactly one kind, on one component, at an anchor.

    Either `for` says how long it lasts, or its kind ends by itself (failover; kill with
    `restart_after`). `name` is what budgets and reports call it.
    """

    at: Anchor
    lasts: Duration | None = Field(default=None, alias="for")
    on: Annotated[str, AfterValidator(_known_component)]
    name: str = ""
    latency: Latency | None = None
    timeout: Timeout | None = None
    reset_peer: ResetPeer | None = None
    down: Down | None = None
    kill: Kill | None = None
    pause: Pause | None = None
    failover: Failover | None = None
    respond: Respond | None = None

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
        takes = component_takes(self.on)
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
        if self.failover:
            return self.failover.detection
        return self.kill.restart_after if self.kill else None

    @property
    def lifted_after_s(self) -> float:
        """Seconds from its begin to the moment its lifting starts."""
        own = self.ends_after_s
        length = own if own is not None else self.lasts
        assert length is not None, "checked when the plan was read"
        return length
