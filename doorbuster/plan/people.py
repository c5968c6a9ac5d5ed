"""Who comes: personas and channels with their weights, and the users of one's own."""

from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, Field, ValidationInfo, model_validator

from doorbuster.faults import Frozen
from doorbuster.plan.recorded import folder_of, read_users
from doorbuster.quantities import Whole

Persona = Literal[
    "patient",
    "refresher",
    "newcomer",
    "member",
    "abandoner",
    "decliner",
    "retry_storm",
    "double_clicker",
    "sniper",
    "hoarder",
    "scraper",
]

BOTS: Final[frozenset[str]] = frozenset({"sniper", "hoarder", "scraper"})
"""Personas that are no people; how people fared is told apart."""

DEFAULT_PERSONAS: Final[dict[Persona, int]] = {
    "patient": 60,
    "refresher": 25,
    "sniper": 10,
    "abandoner": 5,
}
DEFAULT_CHANNELS: Final = {"web": 60, "app": 40}


def _some_weight(weights: dict[Any, int]) -> dict[Any, int]:
    if sum(weights.values()) <= 0:
        raise ValueError("expected at least one with a weight above 0")
    return weights


Weight = Annotated[Whole, Field(ge=0, le=1_000_000)]
Personas = Annotated[dict[Persona, Weight], AfterValidator(_some_weight)]
Channel = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,30}$")]
Channels = Annotated[dict[Channel, Weight], AfterValidator(_some_weight)]


class Data(Frozen):
    """Users of one's own: a CSV file with a header, whose first column says who it is.

    The k-th arrival of a run is the user of row k, whatever the number of workers.

    Args:
        users: The file, relative to the plan.
        take: Each row `once`, which needs a row for each arrival; or `cycle` through them.
        rows: How many rows it has; counted when the plan is read.
    """

    users: str
    take: Literal["once", "cycle"] = "cycle"
    rows: Annotated[Whole, Field(ge=1)]

    @model_validator(mode="before")
    @classmethod
    def _read(cls, raw: Any, info: ValidationInfo) -> Any:
        folder = folder_of(info)
        if folder is None or not isinstance(raw, dict) or not isinstance(raw.get("users"), str):
            return raw
        if "rows" in raw:
            raise ValueError("`rows` is counted: expected no such key")
        path = (folder / raw["users"]).resolve()
        return {**raw, "users": str(path), "rows": len(read_users(Path(path)).rows)}
