"""The loss of all databases, and their return from a base backup."""

from contextlib import contextmanager

from chaos.calls import Call
from chaos.hands import Acting, Hands, stuck
from chaos.postgres.asking import DATABASE_ERRORS, Pair, find_pair
from chaos.postgres.failover import await_first_write, free
from chaos.postgres.following import follow, wait_for
from doorbuster.components import require_proxy
from doorbuster.errors import DoorbusterError
from doorbuster.faults import Fault


@contextmanager
def restored(fault: Fault, hands: Hands) -> Acting:
    """Back the primary up on entry; on exit lose both nodes and bring the backup back.

    What the shop confirmed in between is lost, and the checks of the books say how much.
    """
    pair = find_pair(hands.topology.database)
    with hands.called(Call("pg_basebackup", pair.primary.component.name), fault=fault.name):
        pair.primary.files.back_up()
    hands.step("backed up", fault=fault.name, node=pair.primary.component.name)
    try:
        yield None
    finally:
        try:
            lose_and_restore(pair, fault, hands)
        except (DoorbusterError, *DATABASE_ERRORS) as error:
            require_proxy(hands.topology)  # nothing is mended without it, and it has a message
            by_hand = f"see {pair.primary.component.logs}"
            raise stuck(fault.name, error, by_hand=by_hand) from error


def lose_and_restore(pair: Pair, fault: Fault, hands: Hands) -> None:
    for node in (pair.primary, pair.standby):
        with hands.called(Call("SIGKILL", node.component.name), fault=fault.name):
            node.component.kill()
    hands.step("lost", fault=fault.name)
    with hands.called(Call("restore", pair.primary.component.name), fault=fault.name):
        pair.primary.files.restore()
    # The backup waits for its standby with every commit, and that one is gone.
    free(pair.primary)
    hands.step("restored", fault=fault.name, node=pair.primary.component.name)
    await_first_write(pair.primary)
    hands.step("first write", fault=fault.name, node=pair.primary.component.name)
    follow(pair.standby, of=pair.primary, fault=fault, hands=hands)
    wait_for(pair.standby, on=pair.primary, hands=hands)
