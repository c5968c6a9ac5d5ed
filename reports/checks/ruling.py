"""How a check comes to its verdict: what is broken beats what is in doubt, which beats a pass."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from doorbuster.verdicts import Verdict
from reports.evidence import Run

WITNESSES_MAX: Final = 5

Witnesses = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Finding:
    """What a check saw.

    Args:
        broken: Sentences that say what is wrong for certain.
        doubts: Reasons why the evidence decides nothing; None is no reason.
        sound: The sentence of a pass.
    """

    broken: Iterable[str | None]
    doubts: Iterable[str | None]
    sound: str
    counts: Mapping[str, Any] = field(default_factory=dict)
    witnesses: Witnesses = ()


def ruled(
    name: str, finding: Finding, *, kind: Literal["invariant", "harness"] = "invariant"
) -> Verdict:
    """Return the verdict on `finding`; a doubt does not excuse what is broken already."""
    broken = [sentence for sentence in finding.broken if sentence]
    doubts = [reason for reason in finding.doubts if reason]
    ruling: Literal["pass", "unknown", "fail"]
    if broken:
        ruling, evidence = "fail", "; ".join(broken)
    elif doubts:
        ruling, evidence = "unknown", doubts[0]
    else:
        ruling, evidence = "pass", finding.sound
    return Verdict(
        name=name,
        kind=kind,
        ruling=ruling,
        evidence=evidence,
        counts=dict(finding.counts),
        witnesses=tuple(dict(row) for row in finding.witnesses[:WITNESSES_MAX]),
    )


def indeterminacy(run: Run) -> dict[str, Any]:
    """Return how many operations with an effect nobody can know the outcome of.

    A high ratio makes the checks that compare clients with the books say little.
    """
    row = run.row(
        "SELECT count(*) AS attempted, count(*) FILTER (WHERE outcome = 'info') AS indeterminate "
        "FROM operations"
    )
    share = row["indeterminate"] / row["attempted"] if row["attempted"] else None
    return {**row, "indeterminacy": share if share is None else round(share, 6)}


def counted(number: int, noun: str) -> str:
    """Return `1 order`, `2 orders`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
