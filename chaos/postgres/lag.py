"""A standby that applies what it receives only some time later."""

from contextlib import contextmanager
from functools import partial

from chaos.calls import Call, milliseconds
from chaos.hands import Acting, Hands, stuck
from chaos.postgres.asking import ask, find_pair, has_died, insist, require
from doorbuster.components import DatabaseNode
from doorbuster.errors import DoorbusterError
from doorbuster.faults import Fault, Lag

LIFT_BOUND_S = 10.0
SETTING = "recovery_min_apply_delay"
SETTING_MS = f"SELECT setting FROM pg_settings WHERE name = '{SETTING}'"


@contextmanager
def lagging(fault: Fault, kind: Lag, hands: Hands) -> Acting:
    """Set the standby's delay, and take it back: what has waited is then applied at once."""
    standby = find_pair(hands.topology.database).standby
    delay_ms = milliseconds(kind.delay)
    try:
        with hands.called(
            Call("SET", f"{SETTING}={delay_ms} on {standby.component.name}"), fault=fault.name
        ):
            delay(standby, f"ALTER SYSTEM SET {SETTING} = {delay_ms}")
        hands.require_seen(partial(is_set, standby, delay_ms), what=f"{fault.name!r}")
        yield None
    finally:
        lift(standby, fault, hands)


def lift(standby: DatabaseNode, fault: Fault, hands: Hands) -> None:
    statement = f"ALTER SYSTEM RESET {SETTING}"
    if has_died(standby, fault, hands):
        return
    try:
        with hands.called(
            Call("RESET", f"{SETTING} on {standby.component.name}"), fault=fault.name
        ):
            insist(partial(reset, standby), what=statement, bound_s=LIFT_BOUND_S)
    except DoorbusterError as error:
        by_hand = f"{statement} on {standby.component.name}, then SELECT pg_reload_conf()"
        raise stuck(fault.name, error, by_hand=by_hand) from error


def reset(standby: DatabaseNode) -> None:
    delay(standby, f"ALTER SYSTEM RESET {SETTING}")
    require(is_set(standby, 0), f"{SETTING} is still set")


def delay(standby: DatabaseNode, statement: str) -> None:
    ask(standby.direct_dsn, statement)
    ask(standby.direct_dsn, "SELECT pg_reload_conf()")


def is_set(standby: DatabaseNode, delay_ms: int) -> bool:
    return ask(standby.direct_dsn, SETTING_MS) == str(delay_ms)
