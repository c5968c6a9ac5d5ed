"""How long the guards of a run are told to wait for its director."""

from doorbuster.cli.guard import WAITING_LEASE_S, Guard


class Told:
    """A watchdog, or a lock, that keeps the leases that it was told."""

    def __init__(self) -> None:
        self.leases_s: list[float] = []

    def renew(self, lease_s: float) -> None:
        self.leases_s.append(lease_s)


def test_the_lock_of_a_target_holds_at_least_as_long_as_the_director_may_wait() -> None:
    """Else somebody else would drill it while a hook of ten minutes runs."""
    watchdog, lock = Told(), Told()
    guard = Guard("run-1", stack=None, watchdog=watchdog, lock=lock)
    guard.renew(30.0)
    guard.renew(720.0)
    assert watchdog.leases_s == [30.0, 720.0]
    assert lock.leases_s == [WAITING_LEASE_S, 720.0]
