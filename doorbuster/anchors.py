"""Anchors: moments of a plan named by a phase and an offset, such as `rush` or `cooldown-5s`.

An offset counts from the phase's start; a negative one is before it.
"""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Final

from pydantic import AfterValidator, ValidationInfo, WithJsonSchema

from doorbuster.quantities import duration_s

_ANCHOR: Final = re.compile(r"([a-z][a-z0-9_-]*?)(?:([+-])(\d+(?:\.\d+)?(?:ms|s|m)))?")


def split_anchor(text: str) -> tuple[str, float]:
    """Return the phase that `text` names and the offset from its start in seconds."""
    match = _ANCHOR.fullmatch(text)
    if not match:
        raise ValueError("expected a phase, or a phase and an offset such as rush+4s")
    offset_s = duration_s(match[3]) if match[3] else 0.0
    return match[1], -offset_s if match[2] == "-" else offset_s


def anchor_s(text: str, starts_s: Mapping[str, float]) -> float:
    """Return the moment `text` means, given the second at which each phase starts."""
    phase, offset_s = split_anchor(text)
    return starts_s[phase] + offset_s


def known_phase(text: Any, info: ValidationInfo) -> Any:
    """Return `text` if it is an anchor, and one of the phases that the context may name."""
    phase, _ = split_anchor(text)
    phases = (info.context or {}).get("phases")
    if phases is not None and phase not in phases:
        raise ValueError(f"unknown phase {phase!r}: expected one of {', '.join(phases)}")
    return text


Anchor = Annotated[
    str,
    AfterValidator(known_phase),
    WithJsonSchema({"type": "string", "examples": ["rush", "rush+4s", "cooldown-5s"]}),
]
"""A moment named by phase and offset; with `phases` in the validation context, a known one."""
