"""The facts of the machine and the versions that a run was made with: `environment.json`."""

import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any, Final

import psutil

from doorbuster import __version__
from doorbuster.rundir import SCHEMA_VERSION

LIBRARIES: Final = ("locust", "gevent", "fastapi", "uvicorn", "asyncpg", "duckdb", "httpx")


def environment(*, proxy: str) -> dict[str, Any]:
    """Return what a reader needs to know about where a run's figures come from."""
    return {
        "schema": SCHEMA_VERSION,
        "doorbuster": __version__,
        "python": platform.python_version(),
        "git": git_state(Path(__file__).parents[1]),
        "host": {
            "cores": usable_cores(),
            "memory_bytes": psutil.virtual_memory().total,
            "kernel": platform.release(),
            "machine": platform.machine(),
        },
        "proxy": proxy,
        "versions": {name: metadata.version(name) for name in LIBRARIES},
        "started_at": datetime.now(UTC).isoformat(),
    }


def usable_cores() -> int:
    """Return how many cores this process may use; all there are where the system does not say."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def git_state(folder: Path) -> dict[str, Any] | None:
    """Return the commit of a checkout and whether it was changed since; None outside of one."""
    commit = _git(folder, "rev-parse", "HEAD")
    if commit is None:
        return None
    return {"commit": commit, "dirty": bool(_git(folder, "status", "--porcelain"))}


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ("git", "-C", str(folder), *arguments),
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
