"""Acting under guard: what ends in order whatever happens, and is looked over afterwards."""

import traceback
from collections.abc import Callable
from contextlib import suppress

from doorbuster.cli.guard import SWEPT, Guard, guarded
from doorbuster.cli.screen import Screen
from doorbuster.cli.stacks import ProxyName
from doorbuster.director import directing
from doorbuster.errors import DoorbusterError, LeftBehind
from doorbuster.journal import Journal
from doorbuster.leftovers import leftovers_of
from doorbuster.room import lack_in
from doorbuster.rundir import RunDirectory

CLEAN_UP = "clean-up"


def act(
    run: RunDirectory,
    *,
    journal: Journal,
    screen: Screen,
    proxy: ProxyName,
    body: Callable[[Guard], None],
) -> int:
    """Act out `body`, see that nothing of it is left, and write down what failed of the harness.

    A failure is not raised from here: the run directory holds it, and the report tells it with
    everything that was seen before. Returns the exit code for it, 0 if nothing failed.
    """
    failures = Failures(run, journal, screen)
    with suppress(LeftBehind), directing(run), guarded(screen.plan, run, proxy) as guard:
        failures.catch(body, guard)
    if left := leftovers_of(run.run_id):
        failures.note(CLEAN_UP, f"left behind: {'; '.join(left)}")
    else:
        journal.record("stage", "point", "clean")
    return failures.exit_code


class Failures:
    """What failed of the harness, and where it is told."""

    def __init__(self, run: RunDirectory, journal: Journal, screen: Screen) -> None:
        self.exit_code = 0
        self._run = run
        self._journal = journal
        self._screen = screen

    def catch(self, body: Callable[[Guard], None], guard: Guard) -> None:
        """Call `body`; only a clean-up that failed is raised, so that the watchdog sweeps."""
        try:
            body(guard)
        except KeyboardInterrupt:
            self._journal.record("stop", "point", "by hand, at once", by_hand=True)
            # It may have come between the start of something and our taking note of it.
            guard.sweep_stack()
        except LeftBehind:
            self.exit_code = LeftBehind.exit_code
            raise  # is in the journal already
        except DoorbusterError as error:
            name = CLEAN_UP if error.exit_code == LeftBehind.exit_code else "harness"
            # Whatever was missed then is what the watchdog had ended.
            self.note(name, SWEPT if guard.watchdog.has_swept else str(error))
        except Exception as error:  # noqa: BLE001 - an accident of ours must not lose the run
            self.note("harness", self._told(error))

    def _told(self, error: Exception) -> str:
        """Return the accident in words; the trace of one that is not the machine's is kept."""
        lack = lack_in(error) if isinstance(error, OSError) else None
        if lack is not None or not self._run.logs.is_dir():
            return lack or f"{self._run.path} has gone"
        log = self._run.logs / "director.log"
        log.write_text(traceback.format_exc())
        return f"{error!r}, see {log}"

    def note(self, name: str, message: str) -> None:
        self._journal.record("failure", "point", name, message=message)
        self._screen.say(f"{name} failed: {message}")
        code = LeftBehind.exit_code if name == CLEAN_UP else DoorbusterError.exit_code
        self.exit_code = self.exit_code or code
