"""`doorbuster worker`: a part of the crowd from this machine, for a rehearsal on another one."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Annotated, Final

import psutil
import typer

from doorbuster.cli.interrupts import Interrupts, listening
from doorbuster.cli.traffic import JOIN_WITHIN_S, address_of
from doorbuster.errors import DoorbusterError
from doorbuster.stack.lines import Lines
from doorbuster.stack.process import Program, spawn

WORKER: Final = (sys.executable, "-m", "scenarios.distribution.worker")
LOOK_EVERY_S: Final = 0.2
REFUSED: Final = 2
FOLDER: Final = "doorbuster-worker-"

JoinOption = Annotated[
    str, typer.Option("--join", metavar="HOST:PORT", help="Where the rehearsal waits for workers.")
]
WithinOption = Annotated[
    float, typer.Option("--within", min=1, metavar="SECONDS", help="How long to look for it.")
]


def worker(join: JoinOption, within: WithinOption = JOIN_WITHIN_S) -> int:
    """Send a share of the traffic of a rehearsal on another machine, and end with it."""
    host, port = address_of(join, option="--join")
    print(f"looking for a rehearsal at {host}:{port} (Ctrl-C gives up)", flush=True)
    for earlier in left_by_earlier_ones():
        print(f"an earlier worker recorded what may not have come home: {earlier}")
    folder = Path(tempfile.mkdtemp(prefix=f"{FOLDER}{os.getpid()}-"))
    command = (*WORKER, f"{host}:{port}", f"{within:g}", str(folder))
    program = Program("traffic", command, home=folder, log=folder / "worker.log")
    kept = ""
    try:
        with listening() as interrupts:
            process = spawn(program, run_id=f"worker-{os.getpid()}", talk=True)
            follow(process, interrupts)
        if process.returncode not in (0, REFUSED):
            kept = what_may_be_missing(folder)
        if process.returncode != 0:
            sys.stderr.write(program.log.read_text(errors="replace"))
        return outcome(process.returncode, asked=interrupts.asked, kept=kept)
    finally:
        if not kept:
            shutil.rmtree(folder, ignore_errors=True)


def follow(process: "subprocess.Popen[bytes]", interrupts: Interrupts) -> None:
    """Show what the worker says until it ends; pass on that somebody wants it to."""
    assert process.stdout is not None, "opened as a pipe"
    lines, told = Lines(process.stdout), False
    try:
        while process.poll() is None:
            show(lines.read(within_s=LOOK_EVERY_S))
            if interrupts.asked and not told:
                process.terminate()
                told = True
        show(lines.read())
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def show(lines: list[bytes]) -> None:
    for line in lines:
        print(line.decode(errors="replace"), flush=True)


def left_by_earlier_ones() -> list[Path]:
    """Remove the folders of workers that were killed; return what of it may be evidence."""
    folders = Path(tempfile.gettempdir()).glob(f"{FOLDER}*-*")
    dead = [folder for folder in folders if not psutil.pid_exists(worker_of(folder))]
    for folder in dead:
        if not what_may_be_missing(folder):
            shutil.rmtree(folder, ignore_errors=True)
    return [folder / "run" for folder in dead if folder.exists()]


def worker_of(folder: Path) -> int:
    """Return the id of the process that made a folder; our own if the name is none of ours."""
    found = re.fullmatch(rf"{FOLDER}(\d+)-.+", folder.name)
    return int(found[1]) if found else os.getpid()


def what_may_be_missing(folder: Path) -> str:
    """Return where operations lie that may not have come home; empty if there are none."""
    written = any(path.stat().st_size for path in folder.glob("run/operations/*.ndjson"))
    return f"; what it recorded is kept in {folder / 'run'}" if written else ""


def outcome(exit_code: int, *, asked: bool, kept: str) -> int:
    """Return the command's exit code, or raise what went wrong."""
    if exit_code == 0:
        return 5 if asked else 0
    if exit_code == REFUSED:
        return REFUSED
    how = f"ended by signal {-exit_code}" if exit_code < 0 else f"exit code {exit_code}"
    raise DoorbusterError(f"the worker failed ({how}){kept}")
