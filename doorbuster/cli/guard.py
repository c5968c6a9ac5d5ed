"""What stands over a run: the watchdog, for when the director dies, and the lock of its target."""

import getpass
import subprocess
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from typing import Final

from chaos.watchdog_client import Watchdog
from doorbuster import leftovers
from doorbuster.cli.stacks import ChosenStack, ProxyName, stack_of
from doorbuster.environment import environment
from doorbuster.errors import DoorbusterError
from doorbuster.locks import Lock, locked
from doorbuster.plan import Plan
from doorbuster.rundir import RunDirectory, write_json

WAITING_LEASE_S: Final = 120.0
"""For the stages that do not tick: bringing the stack up, the final read, the clean-up."""

SWEPT: Final = (
    "this process had stood still for longer than its lease, stopped or starved, and the watchdog "
    "has ended the run"
)

SWEPT_WITHIN_S: Final = 60.0


@dataclass(frozen=True)
class Guard:
    """What stands over a run from before its first process to after its last.

    Args:
        lock: Held on a target that others could drill too; a stack of the run's own needs none.
    """

    run_id: str
    stack: ChosenStack
    watchdog: Watchdog
    lock: Lock | None = None

    def require_watchdog(self) -> None:
        """Insist that somebody would clean up after this run, and has not done so already."""
        if self.watchdog.has_swept:
            raise DoorbusterError(SWEPT)
        if not self.watchdog.alive:
            raise DoorbusterError("the watchdog died: nobody would clean up after this run")

    def sweep_stack(self) -> None:
        """End and remove whatever of the run's stack is still here."""
        leftovers.sweep_stack(self.run_id)
        if self.stack.sweeper is not None:
            subprocess.run((*self.stack.sweeper, self.run_id), check=True, timeout=SWEPT_WITHIN_S)

    def renew(self, lease_s: float) -> None:
        """Tell that the director lives; it will do so again within `lease_s`.

        This raises nothing, since faults are lifted on the way: the run loop looks whether the
        watchdog lives, and whether there is room for the lock's file.
        """
        self.watchdog.renew(lease_s)
        if self.lock is not None:
            with suppress(OSError):
                self.lock.renew(max(lease_s, WAITING_LEASE_S))


@contextmanager
def guarded(plan: Plan, run: RunDirectory, proxy: ProxyName) -> Iterator[Guard]:
    """Choose the stack and start the watchdog, which cleans up should this process die.

    Raises:
        PlanError: Somebody else drills the plan's target now.
    """
    stack = stack_of(plan, proxy)
    write_json(run.environment, environment(proxy=stack.proxy("of unknown version")))
    log = run.logs / "watchdog.log"
    with (
        _lock_of(plan, run.run_id) as lock,
        Watchdog.start(run.run_id, journal=run.journal, log=log) as watchdog,
    ):
        watchdog.renew(WAITING_LEASE_S)
        if stack.shared_proxy is not None:
            watchdog.use_proxy(stack.shared_proxy)
        if stack.sweeper is not None:
            watchdog.use_sweeper(stack.sweeper)
        yield Guard(run.run_id, stack, watchdog, lock)


def _lock_of(plan: Plan, run_id: str) -> AbstractContextManager[Lock | None]:
    target = plan.target
    if target is None:
        return nullcontext()
    return locked(
        f"{target.host}:{target.port}",
        owner=f"{run_id} of {getpass.getuser()}",
        reason=plan.description or plan.name,
        lease_s=WAITING_LEASE_S,
    )
