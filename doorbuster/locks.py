"""One drill per target: an exclusive lock on this machine, with owner, reason, age and a lease.

The lock is a file that is only read and written under `flock`. Whoever holds it renews the lease
while the drill goes on; a holder that died is outlived by its lease, and then the next may have it.
"""

import fcntl
import os
import re
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from doorbuster.errors import PlanError

FOLDER: Final = f"doorbuster-locks-{os.getuid()}"
_TRIES: Final = 100


class Holder(msgspec.Struct, frozen=True):
    """Who holds a lock and why; moments are seconds of the Unix epoch."""

    target: str
    owner: str
    reason: str
    since_epoch_s: float
    lease_ends_epoch_s: float


@dataclass(frozen=True)
class Lock:
    """A lock that is held."""

    path: Path
    holder: Holder

    def renew(self, lease_s: float) -> None:
        """Hold it for `lease_s` more seconds from now."""
        with _opened(self.path) as file:
            _write(file, msgspec.structs.replace(self.holder, lease_ends_epoch_s=_in(lease_s)))


@contextmanager
def locked(target: str, *, owner: str, reason: str, lease_s: float) -> Iterator[Lock]:
    """Hold the lock of `target` while the context is open.

    Args:
        target: What is drilled, such as `shop.staging:443`.
        owner: The run, and whose it is.
        reason: Why; shown to those who want the lock too.
        lease_s: How long a dead holder keeps others out; renew it well before.

    Raises:
        PlanError: Somebody else holds it, and their lease has not ended.
    """
    folder = Path(tempfile.gettempdir()) / FOLDER
    lock = Lock(
        folder / f"{re.sub(r'[^a-z0-9.]+', '-', target.lower())}.json",
        Holder(target, owner, reason, time.time(), _in(lease_s)),
    )
    with _opened(lock.path) as file:
        held = _read(file)
        if held is not None and held.lease_ends_epoch_s > time.time():
            raise PlanError(_refusal(held))
        _write(file, lock.holder)
    try:
        yield lock
    finally:
        _give_back(lock)


def _refusal(held: Holder) -> str:
    now_s = time.time()
    return (
        f"{held.target} is being drilled by {held.owner} ({held.reason}), for "
        f"{now_s - held.since_epoch_s:.0f} s now; expected it to be free. If that drill has died, "
        f"its lease ends in {held.lease_ends_epoch_s - now_s:.0f} s"
    )


def _give_back(lock: Lock) -> None:
    """Remove the file unless somebody has taken it over; and the folder with the last file."""
    with _opened(lock.path) as file:
        held = _read(file)
        if held is None or held.since_epoch_s == lock.holder.since_epoch_s:
            lock.path.unlink()
    with suppress(OSError):
        lock.path.parent.rmdir()


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    """Open the file and keep all others out of it; one that was removed meanwhile is not it."""
    for _ in range(_TRIES):
        try:
            path.parent.mkdir(mode=0o700, exist_ok=True)
            file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        except (FileNotFoundError, FileExistsError):
            continue  # the last holder has just removed the folder, or does so between two looks
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            if _is_same(file, path):
                yield file
                return
        finally:
            os.close(file)
    raise PlanError(f"{path}: others take and remove this lock all the time; try again later")


def _is_same(file: int, path: Path) -> bool:
    with suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(file), path.stat())
    return False


def _read(file: int) -> Holder | None:
    """Return who is written in the file; one that was cut while it was written holds nobody."""
    os.lseek(file, 0, os.SEEK_SET)
    with suppress(msgspec.MsgspecError):
        return msgspec.json.decode(os.read(file, 65536), type=Holder)
    return None


def _write(file: int, holder: Holder) -> None:
    os.lseek(file, 0, os.SEEK_SET)
    # In this order: where there is no room to write, what was written before still stands.
    os.ftruncate(file, os.write(file, msgspec.json.encode(holder)))


def _in(lease_s: float) -> float:
    return time.time() + lease_s
