"""What faults of Postgres say when it is not the database that keeps them from being lifted."""

import pytest

from chaos.postgres.asking import Pair, insist
from chaos.postgres.failover import take_over
from doorbuster.errors import DoorbusterError, FaultStuck
from tests.chaos_fakes import RUN, FakeApi, FakeComponent, FakeJournal, fault, hands


def test_a_proxy_that_died_is_what_a_failover_tells() -> None:
    """Nobody can mend it by promoting a node by hand, and its end is no fault that is stuck."""
    api = FakeApi()
    held = hands(api, FakeJournal(), FakeComponent("proxy"))
    api.failing[f"disable doorbuster-{RUN}-postgres-a"] = 1
    pair = Pair(*held.topology.database)
    lost = fault("postgres", failover={})
    assert lost.failover is not None
    with pytest.raises(DoorbusterError, match="the proxy died") as told:
        take_over(pair, lost, lost.failover, held)
    assert not isinstance(told.value, FaultStuck)


def test_a_failover_that_cannot_be_ended_says_how_to_by_hand() -> None:
    api = FakeApi()
    held = hands(api, FakeJournal())
    api.failing[f"disable doorbuster-{RUN}-postgres-a"] = 1
    lost = fault("postgres", failover={})
    assert lost.failover is not None
    with pytest.raises(FaultStuck, match=r"by hand: SELECT pg_promote\(\) on postgres-b"):
        take_over(Pair(*held.topology.database), lost, lost.failover, held)


def test_an_error_without_words_is_told_by_its_kind() -> None:
    def hang() -> None:
        raise TimeoutError

    with pytest.raises(DoorbusterError, match=r"^the lock's end: TimeoutError$"):
        insist(hang, what="the lock's end", bound_s=0.0)
