"""When a sale opens: at an anchor of the plan, or at a time of day by the shop's own clock.

`rush` is an anchor; `20:00 Europe/Vienna` or `20:00:30+01:00` a time at which the baseline is over;
`rush+2s at 20:00Z` a time, and the anchor that is there by then.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, timezone, tzinfo
from typing import Annotated, Any, Final
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, ValidationInfo, WithJsonSchema

from doorbuster.anchors import known_phase

_TIME: Final = re.compile(r"(?:(\S+) at )?(\d\d:\d\d(?::\d\d)?)(?:(Z|[+-]\d\d:\d\d)| (\S+))?")


@dataclass(frozen=True)
class Opening:
    """T0 of a sale.

    Args:
        anchor: Where it is in the plan; None is where the baseline ends.
        at: The time of day, with its zone; None where the shop is told when to open.
    """

    anchor: str | None
    at: time | None = None

    def next_after(self, now: datetime) -> datetime:
        """Return the first moment after `now` at which it is that time of day."""
        assert self.at is not None, "only a time of day comes round again"
        today = now.astimezone(self.at.tzinfo).date()
        days = (today + timedelta(days=more) for more in (0, 1))
        moments = [datetime.combine(day, self.at).astimezone(UTC) for day in days]
        return next(moment for moment in moments if moment > now)


def opening_of(text: str) -> Opening:
    """Return what `text` says of when the sale opens."""
    match = _TIME.fullmatch(text)
    if match is None:
        return Opening(text)
    anchor, clock, offset, name = match.groups()
    if offset is None and name is None:
        raise ValueError("expected a zone with the time of day: 20:00+01:00, 20:00 Europe/Vienna")
    try:
        at = time.fromisoformat(clock)
    except ValueError as error:
        raise ValueError(f"{error}; expected a time of day such as 20:00") from None
    return Opening(anchor, at.replace(tzinfo=_zone(name) if name else _offset(offset)))


def _offset(text: str) -> timezone:
    if text == "Z":
        return UTC
    hours, minutes = int(text[1:3]), int(text[4:])
    if hours > 14 or minutes > 59:
        raise ValueError(f"no clock is {text} off: expected an offset such as +01:00")
    away = timedelta(hours=hours, minutes=minutes)
    return timezone(-away if text[0] == "-" else away)


def _zone(name: str) -> tzinfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError(
            f"unknown zone {name!r}: expected one of this machine's, such as Europe/Vienna, or an "
            "offset such as +01:00"
        ) from None


def _known_opening(text: Any, info: ValidationInfo) -> Any:
    opening = opening_of(text)
    if opening.anchor is not None:
        known_phase(opening.anchor, info)
    return text


OpensAt = Annotated[
    str,
    AfterValidator(_known_opening),
    WithJsonSchema(
        {"type": "string", "examples": ["rush", "20:00 Europe/Vienna", "rush at 20:00+01:00"]}
    ),
]
"""When a sale opens; with `phases` in the validation context, at a known one."""
