"""The one wait for something to come up: bounded, with the last reason and the end of the log."""

import http.client
import time
from collections.abc import Callable
from pathlib import Path

from doorbuster.errors import TargetNotReady

READY_BOUND_S = 30.0
PAUSE_S = 0.03

Probe = Callable[[], str]
"""Answers with an empty text when ready, else with the reason why not."""


def wait_until_ready(
    probe: Probe,
    *,
    what: str,
    log: Path,
    alive: Callable[[], bool],
    bound_s: float = READY_BOUND_S,
) -> None:
    """Return when `probe` has no objection any more; raise when it cannot come to that."""
    give_up_s = time.monotonic() + bound_s
    while reason := probe():
        if not alive():
            raise TargetNotReady(f"{what} ended while starting ({reason}){last_lines(log)}")
        if time.monotonic() > give_up_s:
            raise TargetNotReady(
                f"{what} was not ready within {bound_s:g} s ({reason}){last_lines(log)}"
            )
        time.sleep(PAUSE_S)


def http_probe(address: str, path: str) -> Probe:
    """Return a probe that wants status 200 from `path`; http.client obeys no proxy variables."""

    def probe() -> str:
        connection = http.client.HTTPConnection(address, timeout=2.0)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            text = answer.read(200).decode(errors="replace")
        except (OSError, http.client.HTTPException) as error:
            return f"GET http://{address}{path}: {error!r}"
        finally:
            connection.close()
        return "" if answer.status == 200 else f"GET {path} answered {answer.status} {text}"

    return probe


def last_lines(log: Path, count: int = 12) -> str:
    """Return the end of a log, ready to be appended to a message."""
    lines = log.read_text(errors="replace").splitlines() if log.exists() else []
    return "".join(f"\n  {line}" for line in [f"last lines of {log}:", *lines[-count:]])
