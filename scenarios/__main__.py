"""The traffic process: `python -m scenarios`, told what to do by two lines on standard input.

Exit codes: 0 the traffic is over (or never began), 4 a part of the generator itself failed.
"""

import signal
import sys
import traceback

import gevent

from doorbuster.errors import DoorbusterError
from scenarios.director import Line
from scenarios.driver import fire_request, run_in_locust
from scenarios.order import StartSignal, TrafficOrder, decoded
from scenarios.traffic import Traffic


def main() -> int:
    try:
        return serve(Line())
    except DoorbusterError as error:
        sys.stderr.write(f"traffic: {error}\n")
        return DoorbusterError.exit_code
    except Exception:  # noqa: BLE001  # Python would exit with 1, which means a failed budget
        traceback.print_exc()
        return DoorbusterError.exit_code


def serve(director: Line) -> int:
    """Prepare by the first line, say `ready`, run from the second line on.

    Either line may never come, because the director has gone or gave up: that is no failure.
    """
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(0))
    if not (line := sys.stdin.buffer.readline()):
        return 0
    traffic = Traffic(decoded(line, TrafficOrder), fire_request)
    director.tell(b"ready")
    if not (line := sys.stdin.buffer.readline()):
        return 0
    run = traffic.prepare(decoded(line, StartSignal).zero_monotonic_s)
    gevent.signal_handler(signal.SIGTERM, traffic.stop)
    run_in_locust(run)
    return 0


if __name__ == "__main__":
    sys.exit(main())
