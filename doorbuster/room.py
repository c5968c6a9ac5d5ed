"""Whether there is room to write down what a run sees, and what the machine says if not."""

import errno
import os
import shutil
from pathlib import Path
from typing import Final

from doorbuster.errors import MissingPrerequisite

NEEDED_MB: Final = 48
"""For the files of a run of some minutes, at its begin."""

LEAST_MB: Final = 8
"""Below this a run ends: just enough is left for the books, the figures and the report."""

_LACKS: Final = frozenset(
    {
        errno.ENOSPC,
        errno.EDQUOT,
        errno.EROFS,
        errno.EACCES,
        errno.EPERM,
        errno.EIO,
        errno.EMFILE,
        errno.ENFILE,
    }
)


def require_room(folder: Path, *, mb_min: int, remedy: str) -> None:
    """Insist that a folder is there, can be written and has so much room left."""
    try:
        free_mb = shutil.disk_usage(folder).free // 1024**2
    except OSError as error:
        raise MissingPrerequisite(f"{folder}: {error.strerror}; {remedy}") from None
    if not os.access(folder, os.W_OK):
        raise MissingPrerequisite(f"{folder} cannot be written: {remedy}")
    if free_mb < mb_min:
        raise MissingPrerequisite(
            f"{folder} has {free_mb} MB free and a rehearsal needs {mb_min} MB: {remedy}"
        )


def lack_in(error: OSError) -> str | None:
    """Return in words what the machine lacked; None when the error is none of the machine's."""
    if error.errno not in _LACKS:
        return None
    where = f"{error.filename}: " if error.filename else ""
    return f"{where}{error.strerror}"
