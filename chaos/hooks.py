"""Faults that commands of the plan's author begin and end."""

import os
import shlex
import signal
import subprocess
from collections.abc import Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from chaos.calls import Call
from chaos.hands import Acting, Hands, stuck
from chaos.pledge import Pledge
from doorbuster.components import RUN_MARK
from doorbuster.errors import DoorbusterError
from doorbuster.faults import Fault, Hooks


@contextmanager
def hooked(fault: Fault, kind: Hooks, hands: Hands) -> Acting:
    """Run `begin` and see the fault act, then run `end` and see it gone."""
    hands.pledge(fault.name, Pledge(kind.end, kind.bound))
    try:
        succeed("begin", kind.begin, fault, kind, hands=hands)
        if kind.verify is not None:
            hands.require_seen(lambda: acts(fault, kind, hands), what=f"{fault.name!r}")
        yield None
    finally:
        lift(fault, kind, hands)


def lift(fault: Fault, kind: Hooks, hands: Hands) -> None:
    try:
        succeed("end", kind.end, fault, kind, hands=hands)
        if kind.verify is not None:
            what = f"the end of {fault.name!r}"
            hands.require_seen(lambda: not acts(fault, kind, hands), what=what)
    except DoorbusterError as error:
        raise stuck(fault.name, error, by_hand=shlex.join(kind.end)) from error
    hands.redeem(fault.name)


def acts(fault: Fault, kind: Hooks, hands: Hands) -> bool:
    """Say what `verify` says; any answer but yes and no is an error."""
    assert kind.verify is not None
    code = run("verify", kind.verify, fault, kind, hands=hands)
    if code not in (0, 1):
        raise DoorbusterError(
            f"verify of {fault.name!r} ended with {code}, expected 0 (acts) or 1 (does not); "
            f"its output is in {hands.logs}"
        )
    return code == 0


def succeed(
    moment: str, command: Sequence[str], fault: Fault, kind: Hooks, *, hands: Hands
) -> None:
    code = run(moment, command, fault, kind, hands=hands)
    if code != 0:
        raise DoorbusterError(
            f"{moment} of {fault.name!r} ended with {code}: {shlex.join(command)}; "
            f"its output is in {hands.logs}"
        )


def run(moment: str, command: Sequence[str], fault: Fault, kind: Hooks, *, hands: Hands) -> int:
    """Run one command, bounded, its output logged, and return its exit code."""
    topology = hands.topology
    told = {
        RUN_MARK: topology.run_id,
        "DOORBUSTER_FAULT": fault.name,
        "DOORBUSTER_ON": fault.on,
        "DOORBUSTER_MOMENT": moment,
        "DOORBUSTER_SHOP_URL": topology.shop_url,
    }
    with (
        hands.called(
            Call(f"hook {moment}", shlex.join(command)), fault=fault.name, takes_s=kind.bound
        ),
        log_of(hands, f"$ {shlex.join(command)}  ({fault.name}, {moment})") as log,
    ):
        try:
            process = subprocess.Popen(
                list(command),
                env=dict(os.environ) | told,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        except OSError as error:
            raise DoorbusterError(f"{moment} of {fault.name!r}: {error}") from error
        return ended(process, moment, fault, bound_s=kind.bound)


def log_of(hands: Hands, headline: str) -> BinaryIO:
    """Open the log of the commands; without room for it, they run all the same."""
    log = None
    try:
        log = hands.logs.open("ab", buffering=0)
        log.write(f"{headline}\n".encode())
    except OSError:
        return log or Path(os.devnull).open("ab")
    return log


def ended(process: "subprocess.Popen[bytes]", moment: str, fault: Fault, *, bound_s: float) -> int:
    """Wait for the command; one that takes too long is ended with all of its session."""
    try:
        return process.wait(bound_s)
    except subprocess.TimeoutExpired:
        raise DoorbusterError(
            f"{moment} of {fault.name!r} did not end within {bound_s:g} s"
        ) from None
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
