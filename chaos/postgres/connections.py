"""A server that has no connection slots left for the shop."""

from contextlib import contextmanager
from functools import partial
from urllib.parse import urlsplit

from chaos.calls import Call
from chaos.hands import Acting, Hands, stuck
from chaos.postgres.asking import ask, find_primary, has_died, insist, require
from chaos.probe import is_ended
from doorbuster.components import DatabaseNode
from doorbuster.errors import DoorbusterError
from doorbuster.faults import Connections, Fault

LIFT_BOUND_S = 10.0
UNLIMITED = -1
LIMIT = "SELECT rolconnlimit FROM pg_roles WHERE rolname = $1"
COUNT = "SELECT count(*) FROM pg_stat_activity WHERE usename = $1"
HANG_UP = """
    SELECT count(pg_terminate_backend(pid)) FROM (
        SELECT pid FROM pg_stat_activity WHERE usename = $1 ORDER BY backend_start OFFSET $2
    ) AS surplus
"""


@contextmanager
def exhausted(fault: Fault, kind: Connections, hands: Hands) -> Acting:
    """Let the shop's user have `left` slots and no more, and all again at the end.

    A limit of the user's, since it is exact: with real connections in the slots, the shop would
    race them for each one that it loses. What the shop is told is the same, SQLSTATE 53300.
    """
    node = find_primary(hands.topology.database)
    try:
        call = Call("CONNECTION LIMIT", f"{kind.left} on {node.component.name}")
        with hands.called(call, fault=fault.name):
            limit(node, kind.left)
        hands.require_seen(partial(is_exhausted, node, kind.left), what=f"{fault.name!r}")
        yield None
    finally:
        lift(node, fault, hands)


def user_of(node: DatabaseNode) -> str:
    user = urlsplit(node.proxied_dsn).username
    assert user is not None, "a proxied DSN names the shop's user"
    return user


def limit(node: DatabaseNode, slots: int) -> None:
    ask(node.direct_dsn, f'ALTER ROLE "{user_of(node)}" CONNECTION LIMIT {slots}')


def is_exhausted(node: DatabaseNode, left: int) -> bool:
    """Say whether the shop has no more than its slots; hang up on the surplus."""
    user = user_of(node)
    ask(node.direct_dsn, HANG_UP, user, left)
    count = ask(node.direct_dsn, COUNT, user)
    assert isinstance(count, int)
    return ask(node.direct_dsn, LIMIT, user) == left and count <= left


def lift(node: DatabaseNode, fault: Fault, hands: Hands) -> None:
    """Take the limit back on whoever is primary by now, unless there is none any more."""
    try:
        with hands.called(Call("CONNECTION LIMIT", "none"), fault=fault.name):
            bound_s = 0.0 if is_ended(node.component) else LIFT_BOUND_S
            insist(partial(unlimit, hands), what="the limit's end", bound_s=bound_s)
    except DoorbusterError as error:
        if has_died(node, fault, hands):
            return
        by_hand = "ALTER ROLE shop CONNECTION LIMIT -1 on the primary"
        raise stuck(fault.name, error, by_hand=by_hand) from error


def unlimit(hands: Hands) -> None:
    node = find_primary(hands.topology.database)
    limit(node, UNLIMITED)
    require(ask(node.direct_dsn, LIMIT, user_of(node)) == UNLIMITED, "the limit is still there")
