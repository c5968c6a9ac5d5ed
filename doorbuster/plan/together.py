"""Steps that are not taken alone: everybody at one instant, or the same request twice."""

from typing import Annotated, Literal

from pydantic import Field

from doorbuster.anchors import Anchor
from doorbuster.faults import Frozen
from doorbuster.plan.people import Persona
from doorbuster.quantities import Duration, Share

Act = Literal["session", "view", "stock", "cart", "quote", "reserve", "pay"]
"""Operations that journeys perform as steps."""

Whom = Annotated[tuple[Persona, ...], Field(max_length=20)]


class Rendezvous(Frozen):
    """All who reach a step shortly before an instant wait for it, and go at once.

    Args:
        step: The operation they are about to perform; it is due at the instant.
        at: The instant.
        gather: How long before it the waiting begins; who is earlier goes on as usual.
        personas: Who waits; everybody when none is named.
    """

    step: Act
    at: Anchor
    gather: Annotated[Duration, Field(gt=0)] = 5.0
    personas: Whom = ()

    def concerns(self, step: str, persona: str) -> bool:
        return step == self.step and (not self.personas or persona in self.personas)


class Doubled(Frozen):
    """A step whose request is sent twice, as by a double click.

    Args:
        step: The operation.
        share: How many of those who perform it double it.
        apart: From the first request to the second; 0s sends them together.
        key: The second carries the `same` idempotency key, or a `new` one, and then it is another
            purchase to the shop.
        personas: Who does so; everybody when none is named.
    """

    step: Act
    share: Annotated[Share, Field(gt=0)] = 1.0
    apart: Duration = 0.0
    key: Literal["same", "new"] = "same"
    personas: Whom = ()

    def concerns(self, step: str, persona: str) -> bool:
        return step == self.step and (not self.personas or persona in self.personas)
