"""The way back after a failover: the old primary follows the new one, then they change roles."""

from contextlib import contextmanager
from functools import partial

from chaos.calls import Call
from chaos.hands import Acting, Hands, stuck
from chaos.postgres.asking import DATABASE_ERRORS, Pair, ask, find_primary, insist, require
from chaos.postgres.failover import FENCE, raise_up, switch
from chaos.postgres.following import follow, wait_for
from doorbuster.components import require_proxy
from doorbuster.errors import DoorbusterError
from doorbuster.faults import Fault

CATCH_UP_BOUND_S = 10.0
HANG_UP = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE backend_type = 'client backend' AND usename <> current_user
"""
BUSY = """
    SELECT count(*) FROM pg_stat_activity
    WHERE backend_type = 'client backend' AND usename <> current_user
"""
WRITTEN = "SELECT pg_current_wal_lsn()::text"
APPLIED = "SELECT pg_last_wal_replay_lsn()::text"


@contextmanager
def failed_back(fault: Fault, hands: Hands) -> Acting:
    """Copy the new primary to the old one on entry; change their roles on exit."""
    pair = turned_round(hands)
    follow(pair.standby, of=pair.primary, fault=fault, hands=hands)
    try:
        yield None
    finally:
        try:
            change_roles(pair, fault, hands)
        except (DoorbusterError, *DATABASE_ERRORS) as error:
            require_proxy(hands.topology)  # nothing is mended without it, and it has a message
            by_hand = f"SELECT pg_promote() on {pair.standby.component.name}"
            raise stuck(fault.name, error, by_hand=by_hand) from error


def turned_round(hands: Hands) -> Pair:
    """Return who is primary, and as standby the node that is to be primary again."""
    nodes = hands.topology.database
    primary = find_primary(nodes)
    if primary is nodes[0]:
        raise DoorbusterError(
            f"{primary.component.name} is primary already: expected a failover before a failback"
        )
    return Pair(primary, nodes[0])


def change_roles(pair: Pair, fault: Fault, hands: Hands) -> None:
    """Let nobody write, see that the standby has everything, promote it, and follow it."""
    old, new = pair.primary, pair.standby
    switch(old.proxy, fault, hands, enabled=False, by=fault.name)
    try:
        hands.step("fenced", fault=fault.name, node=old.component.name)
        insist(partial(require_level, pair), what="catching up", bound_s=CATCH_UP_BOUND_S)
        hands.step("caught up", fault=fault.name, node=new.component.name)
        with hands.called(Call("SIGKILL", old.component.name), fault=fault.name):
            old.component.kill()
        switch(new.proxy, fault, hands, enabled=True, by=FENCE)
        raise_up(new, fault, hands)
        follow(old, of=new, fault=fault, hands=hands)
        wait_for(old, on=new, hands=hands)
    finally:
        switch(old.proxy, fault, hands, enabled=True, by=fault.name)


def require_level(pair: Pair) -> None:
    """Insist that nobody writes and that the standby has applied all that was written."""
    ask(pair.primary.direct_dsn, HANG_UP)
    require(ask(pair.primary.direct_dsn, BUSY) == 0, "clients are still connected")
    written, applied = ask(pair.primary.direct_dsn, WRITTEN), ask(pair.standby.direct_dsn, APPLIED)
    require(written == applied, f"written {written}, applied {applied}")
