"""How values are written for people."""

from collections.abc import Mapping
from typing import Any, Final

from doorbuster.quantities import money_text

HEADLINES: Final = {
    0: "Passed",
    1: "Failed",
    3: "Unknown",
    4: "The harness failed",
    5: "Stopped",
    6: "Clean-up failed",
}
"""Exit code to the one or two words that a reader sees first."""

NONE: Final = "-"
"""What stands where there is no value."""


def seconds(value: float | None) -> str:
    """Return a duration such as `12 ms` or `3.4 s`."""
    if value is None:
        return NONE
    return f"{value * 1000:,.0f} ms" if abs(value) < 1 else f"{value:,.2f} s"


def moment(value: float | None) -> str:
    """Return a moment on the run's clock."""
    return NONE if value is None else f"{value:,.1f} s"


def share(value: float | None) -> str:
    return NONE if value is None else f"{value:.2%}"


def per_second(value: float | None) -> str:
    return NONE if value is None else f"{value:,.1f}/s"


def number(value: float | None) -> str:
    return NONE if value is None else f"{value:,.0f}"


def money(minor: int | None) -> str:
    """Return money with thousands separated; the currency is the shop's."""
    if minor is None:
        return NONE
    whole, cents = money_text(abs(minor)).split(".")
    return f"{'-' if minor < 0 else ''}{int(whole):,}.{cents}"


def facts(row: Mapping[str, Any]) -> str:
    """Return a row of evidence on one line."""
    return ", ".join(f"{name} {_value(value)}" for name, value in row.items() if value is not None)


def _value(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 1 else f"{value:,.3f}".rstrip("0").rstrip(".")
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
