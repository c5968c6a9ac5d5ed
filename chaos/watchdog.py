"""The process that ends a run whose director cannot: `python -m chaos.watchdog`, lines on stdin.

The director holds the other end of the pipe. Its first line says what to guard, later ones renew
the lease; each is a `Word`. End of file without `done` means that the director died, a lease that
ran out that it hangs. Either way everything of the run is ended and removed.
"""

import os
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from chaos.pledge import Pledge
from chaos.toxiproxy import ToxiproxyApi
from doorbuster import leftovers
from doorbuster.errors import DoorbusterError
from doorbuster.journal import Journal

PROXY_BOUND_S: Final = 1.0
SWEEP_BOUND_S: Final = 6.0
SWEEPER_BOUND_S: Final = 20.0
SETTLE_S: Final = 0.3

DIED: Final = "the director died"
HUNG: Final = "the director hangs: it did not renew its lease"


class Word(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True, frozen=True):
    """One line from the director; what it leaves out stays as it was.

    Args:
        run_id: The run to guard, in the first line.
        journal: The run's journal, in the first line.
        proxy_api: A Toxiproxy that the run uses and did not start.
        sweeper: A command that removes what is neither process nor folder of this machine; it
            gets the run's id as its last argument.
        undo: What ends the faults that nothing else would end, by the faults' names;
            each time all of them.
        folder: Where those commands are run, in the first line: the director's working folder.
        lease_s: How long from now until the director is taken to hang.
        done: The run ended in order; there is nothing more to guard.
    """

    run_id: str | None = None
    journal: str | None = None
    proxy_api: str | None = None
    sweeper: tuple[str, ...] | None = None
    undo: dict[str, Pledge] | None = None
    folder: str | None = None
    lease_s: float | None = None
    done: bool = False


class Charge:
    """What the director has said so far, one line after the other."""

    def __init__(self) -> None:
        self.run_id: str | None = None
        self.journal: str | None = None
        self.proxy_api: str | None = None
        self.sweeper: tuple[str, ...] | None = None
        self.undo: dict[str, Pledge] = {}
        self.folder: str | None = None
        self.done = False
        self._lease_end_s: float | None = None

    def hear(self, word: Word) -> None:
        self.run_id = word.run_id or self.run_id
        self.journal = word.journal or self.journal
        self.proxy_api = word.proxy_api or self.proxy_api
        self.sweeper = word.sweeper or self.sweeper
        self.undo = self.undo if word.undo is None else word.undo
        self.folder = word.folder or self.folder
        self.done = self.done or word.done
        if word.lease_s is not None:
            self._lease_end_s = time.monotonic() + word.lease_s

    @property
    def lease_left_s(self) -> float | None:
        """Seconds until the director is taken to hang; None before the first lease."""
        if self._lease_end_s is None:
            return None
        return max(self._lease_end_s - time.monotonic(), 0.0)


def guard(pipe: int, charge: Charge) -> str | None:
    """Listen until the end and return what went wrong, or None when the run ended in order."""
    unfinished = b""
    while not charge.done:
        ready, _, _ = select.select([pipe], [], [], charge.lease_left_s)
        if not ready:
            return HUNG
        heard = os.read(pipe, select.PIPE_BUF)
        if not heard:
            return DIED
        *lines, unfinished = (unfinished + heard).split(b"\n")
        for line in lines:
            charge.hear(msgspec.json.decode(line, type=Word))
    return None


def end_run(charge: Charge, reason: str) -> None:
    """End and remove all that is left of the run, and say so in its journal."""
    if charge.run_id is None:
        return  # The director died before it told us, so before it started anything.
    delete_proxies(charge.proxy_api, charge.run_id)
    left = sweep_until_clean(charge.run_id)
    # Again: a proxy whose traffic has ended lets go of what it would not before.
    left += delete_proxies(charge.proxy_api, charge.run_id)
    left += sweep_elsewhere(charge.sweeper, charge.run_id)
    left += undo(charge.undo, folder=charge.folder)
    if charge.journal is not None:
        with Journal(Path(charge.journal)) as journal:
            journal.record("failure", "point", "director", message=message(reason, left))


def message(reason: str, left: list[str]) -> str:
    if left:
        return f"{reason}; the watchdog could not remove {'; '.join(left)}"
    return f"{reason}; the watchdog ended what was left of the run"


def delete_proxies(proxy_api: str | None, run_id: str) -> list[str]:
    """Delete the run's proxies from a server that is not ours; return what would not go."""
    if proxy_api is None:
        return []
    # Letters, since another run's id may be this one's and a number.
    own = re.compile(f"doorbuster-{re.escape(run_id)}-[a-z][a-z-]*")
    api = ToxiproxyApi(proxy_api, PROXY_BOUND_S, owner=f"doorbuster-{run_id}-")
    try:
        for name in api.names():
            if own.fullmatch(name):
                api.delete(name)
    except DoorbusterError as error:
        return [f"the run's proxies at {proxy_api} ({error})"]
    finally:
        api.close()
    return []


def sweep_elsewhere(sweeper: tuple[str, ...] | None, run_id: str) -> list[str]:
    """Have removed what is not of this machine's processes and folders; return what is left.

    Twice, since what the director asked for as it died may be there only a moment later.
    """
    if sweeper is None:
        return []
    left: list[str] = []
    for _ in range(2):
        problem = run((*sweeper, run_id))
        left = [problem] if problem else []
    return left


def undo(pledges: Mapping[str, Pledge], *, folder: str | None) -> list[str]:
    """Run the commands that end faults; return a line for each that could not be ended."""
    problems = {
        fault: run(pledge.command, folder=folder, bound_s=pledge.bound_s)
        for fault, pledge in pledges.items()
    }
    return [f"fault {fault!r} ({problem})" for fault, problem in problems.items() if problem]


def run(
    command: tuple[str, ...], *, folder: str | None = None, bound_s: float = SWEEPER_BOUND_S
) -> str:
    """Run one command and return what went wrong, "" if nothing did."""
    try:
        subprocess.run(
            command,
            cwd=folder,
            capture_output=True,
            check=True,
            text=True,
            timeout=bound_s,
        )
    except subprocess.CalledProcessError as error:
        return error.stderr.strip() or str(error)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return ""


def sweep_until_clean(run_id: str) -> list[str]:
    """Sweep until nothing turns up any more; return what is left at the end of the patience.

    Once is not enough: what the director was about to start as it died is seen a moment later.
    """
    give_up_s = time.monotonic() + SWEEP_BOUND_S
    while True:
        left = sweep(run_id)
        time.sleep(SETTLE_S)
        left = left or leftovers.leftovers_of(run_id)
        if not left or time.monotonic() > give_up_s:
            return left


def sweep(run_id: str) -> list[str]:
    try:
        leftovers.sweep(run_id)
    except (OSError, DoorbusterError) as error:
        return [str(error)]
    return []


def main() -> None:
    # Whoever ends the director this way lets it clean up; we go last, when the pipe closes.
    for survived in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(survived, signal.SIG_IGN)
    charge = Charge()
    reason = guard(sys.stdin.fileno(), charge)
    if reason is not None:
        end_run(charge, reason)


if __name__ == "__main__":
    main()
