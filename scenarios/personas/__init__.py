"""Personas: what each kind of shopper does in a visit, one journey per file."""

from collections.abc import Callable, Mapping
from typing import Final

from scenarios.manners import STORMING, STUBBORN, Manners
from scenarios.personas.abandoner import abandoner
from scenarios.personas.decliner import decliner
from scenarios.personas.double_clicker import double_clicker
from scenarios.personas.hoarder import hoarder
from scenarios.personas.member import member
from scenarios.personas.newcomer import newcomer
from scenarios.personas.patient import patient
from scenarios.personas.refresher import refresher
from scenarios.personas.retry_storm import retry_storm
from scenarios.personas.scraper import scraper
from scenarios.personas.sniper import sniper
from scenarios.session import Session

JOURNEYS: Final[Mapping[str, Callable[[Session], None]]] = {
    "patient": patient,
    "refresher": refresher,
    "newcomer": newcomer,
    "member": member,
    "abandoner": abandoner,
    "decliner": decliner,
    "retry_storm": retry_storm,
    "double_clicker": double_clicker,
    "sniper": sniper,
    "hoarder": hoarder,
    "scraper": scraper,
}

MANNERS: Final[Mapping[str, Manners]] = {
    "refresher": STUBBORN,
    "retry_storm": STORMING,
    "sniper": STUBBORN,
    "hoarder": STUBBORN,
    "scraper": STUBBORN,
}
"""How those try again who do not do as the shop asks."""
