"""A toxic as a client asked for it; what it does to a connection is in `chaos.proxy.toxics`."""

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from typing import Any, Literal, cast

from chaos.proxy.body import Body
from chaos.proxy.errors import ApiError
from chaos.proxy.quota import Quota
from chaos.proxy.toxics import KINDS
from chaos.proxy.toxics.stage import Stage

Direction = Literal["upstream", "downstream"]
DIRECTIONS: tuple[Direction, ...] = ("upstream", "downstream")


@dataclass(frozen=True)
class Toxic:
    """One named fault on one direction of a proxy."""

    name: str
    type_name: str
    stream: str
    """The direction as the client spelt it, which is how it is echoed."""
    toxicity: float
    attributes: dict[str, int]
    ttl_ms: int | None = None
    """How long it lives after it was added or last changed."""
    first_connections: int | None = None
    """How many connections it acts on, of those that start after it was added."""
    quota: Quota | None = field(default=None, compare=False)

    @property
    def direction(self) -> Direction:
        return cast("Direction", self.stream.lower())

    @property
    def kind(self) -> type[Stage]:
        return KINDS[self.type_name]

    @classmethod
    def parse(cls, body: Body, *, taken: Collection[str]) -> "Toxic":
        """Read a toxic to be added beside those `taken`, with Toxiproxy's order of checks."""
        stream = body.text("stream", "downstream")
        type_name = body.text("type", "")
        toxicity = body.number("toxicity", 1)
        name = body.text("name", "") or f"{type_name}_{stream}"
        given = body.members("attributes")
        if stream.lower() not in DIRECTIONS:
            raise ApiError(400, "stream was invalid, can be either upstream or downstream")
        if type_name not in KINDS:
            raise ApiError(400, "invalid toxic type")
        if name in taken:
            raise ApiError(409, "toxic already exists")
        attributes = acceptable(KINDS[type_name], given.integers(KINDS[type_name].defaults))
        ttl_ms, connections = body.count("ttl_ms"), body.count("first_connections")
        quota = Quota(connections) if connections else None
        return cls(name, type_name, stream, toxicity, attributes, ttl_ms, connections, quota)

    def updated(self, body: Body) -> "Toxic":
        """Return this toxic with the members of `body` in place of its own."""
        attributes = acceptable(self.kind, body.members("attributes").integers(self.attributes))
        toxicity = body.number("toxicity", self.toxicity)
        ttl_ms = body.count("ttl_ms") if body.says("ttl_ms") else self.ttl_ms
        return replace(self, attributes=attributes, toxicity=toxicity, ttl_ms=ttl_ms)

    def as_json(self) -> dict[str, Any]:
        extensions = {"ttl_ms": self.ttl_ms, "first_connections": self.first_connections}
        return {
            "attributes": self.attributes,
            "name": self.name,
            "type": self.type_name,
            "stream": self.stream,
            "toxicity": self.toxicity,
            # Only where a client asked for them, so that others see what they know.
            **{name: value for name, value in extensions.items() if value is not None},
        }


def acceptable(kind: type[Stage], attributes: dict[str, int]) -> dict[str, int]:
    """Return the attributes of a toxic, unless they are ones that crash the original."""
    reason = kind.refused(attributes)
    if reason is not None:
        raise ApiError(400, reason)
    return attributes
