"""The funnel: how far sessions came, why the others came no further, and who fared how."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec

from doorbuster.funnel import STAGES, UNRECORDED
from doorbuster.plan.people import BOTS
from reports.evidence import Run

Rows = Sequence[Mapping[str, Any]]

EVERYBODY: Final = "everybody"
PEOPLE: Final = "people"
ALL_BOTS: Final = "bots"

# Warm-up is not measured, in none of the two.
_ENDED: Final = """
SELECT persona, channel, stage, lost, sum(sessions)::BIGINT AS sessions FROM funnel_seconds
WHERE second >= 0 AND second < $length_s GROUP BY ALL
"""
_STARTED: Final = """
SELECT coalesce(sum(started), 0)::BIGINT AS sessions FROM generator_seconds
WHERE second >= 0 AND second < $length_s
"""


class StageFigures(msgspec.Struct, frozen=True):
    """One stage of the funnel.

    Args:
        sessions: How many reached it, or came further without it.
        lost: Of those, how many came no further, by reason, the commonest first.
    """

    stage: str
    sessions: int
    lost: dict[str, int]


class GroupFigures(msgspec.Struct, frozen=True):
    """How some of those who came fared, such as the bots or those of one channel."""

    group: str
    sessions: int
    tried: int
    reserved: int
    paid: int


class FunnelFigures(msgspec.Struct, frozen=True):
    """The funnel of a run, as a whole and by who came."""

    stages: tuple[StageFigures, ...]
    groups: tuple[GroupFigures, ...]


def funnel_figures(run: Run) -> FunnelFigures | None:
    """Return the funnel; None when nothing was written down about any session."""
    ended = run.rows(_ENDED, length_s=run.plan.length_s)
    if not ended:
        return None
    started = run.row(_STARTED, length_s=run.plan.length_s)["sessions"]
    unrecorded = max(0, started - sum(row["sessions"] for row in ended))
    return FunnelFigures(tuple(_stages(ended, unrecorded)), tuple(_groups(ended)))


def _stages(ended: Rows, unrecorded: int) -> Iterator[StageFigures]:
    """Yield each stage with who reached it; of whom there is no record arrived at least."""
    for place, stage in enumerate(STAGES):
        lost: Counter[str] = Counter()
        for row in ended:
            if row["stage"] == stage and row["lost"]:
                lost[row["lost"]] += row["sessions"]
        reached = _reached(ended, place)
        if place == 0 and unrecorded:
            lost[UNRECORDED] = unrecorded
            reached += unrecorded
        yield StageFigures(stage, reached, dict(lost.most_common()))


def _groups(ended: Rows) -> Iterator[GroupFigures]:
    yield _group(EVERYBODY, ended)
    if BOTS & {row["persona"] for row in ended}:
        yield _group(PEOPLE, [row for row in ended if row["persona"] not in BOTS])
        yield _group(ALL_BOTS, [row for row in ended if row["persona"] in BOTS])
    for column in ("persona", "channel"):
        for name in sorted({row[column] for row in ended}):
            yield _group(f"{column} {name}", [row for row in ended if row[column] == name])


def _group(name: str, own: Rows) -> GroupFigures:
    tried, reserved, paid = (_reached(own, STAGES.index(s)) for s in ("tried", "reserved", "paid"))
    return GroupFigures(name, _reached(own, 0), tried, reserved, paid)


def _reached(ended: Rows, place: int) -> int:
    return sum(row["sessions"] for row in ended if STAGES.index(row["stage"]) >= place)
