"""The temporary folder of a run, made so that Postgres' user may enter, and removed at the end."""

import os
import pwd
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from doorbuster import leftovers
from doorbuster.errors import MissingPrerequisite
from doorbuster.room import require_room
from doorbuster.stack.process import Account, Place

FREE_MB_MIN = 512
UNPRIVILEGED_USER = "nobody"


@contextmanager
def temporary_place(run_id: str, *, logs: Path) -> Iterator[Place]:
    """Make the run's folder; at the end sweep what still works there and remove it."""
    logs.mkdir(parents=True, exist_ok=True)
    folder = make_folder(run_id)
    try:
        folder.chmod(0o755)
        require_space(folder)
        yield Place(run_id=run_id, folder=folder, logs=logs.resolve())
    finally:
        leftovers.sweep_stack(run_id)
        leftovers.require_nothing_left(run_id, search=leftovers.stack_processes_of)


def make_folder(run_id: str) -> Path:
    parent = Path(tempfile.gettempdir())
    try:
        return Path(tempfile.mkdtemp(prefix=leftovers.folder_prefix(run_id), dir=parent))
    except OSError as error:
        raise MissingPrerequisite(
            f"cannot make a folder in {parent} ({error.strerror}): "
            f"free space there or set TMPDIR to a folder that you may write to"
        ) from None


def require_space(folder: Path) -> None:
    remedy = "free some or set TMPDIR to another folder"
    require_room(folder.parent, mb_min=FREE_MB_MIN, remedy=remedy)


def postgres_account(place: Place) -> Account | None:
    """Return whom Postgres has to run as: it refuses root, and ourselves will do otherwise."""
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam(UNPRIVILEGED_USER)
    except KeyError:
        raise MissingPrerequisite(
            f"Postgres refuses to run as root and there is no user {UNPRIVILEGED_USER!r}: "
            f"add one (useradd --system {UNPRIVILEGED_USER}) or run as another user"
        ) from None
    require_open_way(place.folder)
    return Account(uid=entry.pw_uid, gid=entry.pw_gid)


def require_open_way(path: Path) -> None:
    """Insist that any user may walk to `path`: Postgres runs as one who owns nothing on the way."""
    for step in [path, *path.parents]:
        if not step.stat().st_mode & 0o001:
            raise MissingPrerequisite(
                f"user {UNPRIVILEGED_USER!r} may not enter {step}, on the way to {path}: "
                f"chmod o+x it, or choose another place (TMPDIR, DOORBUSTER_POSTGRES_BIN)"
            )
