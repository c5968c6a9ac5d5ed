"""Personas: what each kind of shopper does in a visit, one journey per file."""

from collections.abc import Callable, Mapping
from typing import Final

from scenarios.personas.abandoner import abandoner
from scenarios.personas.decliner import decliner
from scenarios.personas.patient import patient
from scenarios.personas.refresher import refresher
from scenarios.personas.sniper import sniper
from scenarios.session import Session

JOURNEYS: Final[Mapping[str, Callable[[Session], None]]] = {
    "patient": patient,
    "refresher": refresher,
    "sniper": sniper,
    "abandoner": abandoner,
    "decliner": decliner,
}
