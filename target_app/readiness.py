"""Whether a replica should be sent shoppers: what it cannot do without, and what it can.

A provider that hangs or a Redis that is gone makes a shop worse, not useless; if each of them took
all replicas out at once, the probe would be the outage. Such things are told as degraded.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from target_app.database.pool import Database, UnavailableError
from target_app.payments.breaker import Breaker, BreakerState
from target_app.redis.client import Failed, Redis

WRITABLE = "SELECT NOT pg_is_in_recovery() AND current_setting('transaction_read_only') = 'off'"

Probe = Callable[[], Awaitable[str]]
"""Answers with an objection, or with nothing if there is none."""


@dataclass(frozen=True)
class Findings:
    """Objections by the name of what they are about."""

    failing: dict[str, str]
    degraded: dict[str, str]


async def look_into(*, needed: Mapping[str, Probe], wanted: Mapping[str, Probe]) -> Findings:
    return Findings(await _objections(needed), await _objections(wanted))


async def _objections(probes: Mapping[str, Probe]) -> dict[str, str]:
    found = {name: await probe() for name, probe in probes.items()}
    return {name: objection for name, objection in found.items() if objection}


def database_takes_writes(database: Database) -> Probe:
    async def probe() -> str:
        try:
            async with database.connection() as connection:
                return "" if await connection.fetchval(WRITABLE) else "read-only"
        except UnavailableError as error:
            return str(error)

    return probe


def redis_answers(redis: Redis) -> Probe:
    async def probe() -> str:
        answer = await redis.ask(lambda client: client.ping())
        return answer.why if isinstance(answer, Failed) else ""

    return probe


def breaker_is_closed(breaker: Callable[[], Breaker]) -> Probe:
    async def probe() -> str:
        state = breaker().state
        return "" if state is BreakerState.CLOSED else f"breaker {state}"

    return probe
