"""Files that only grow, each write one system call, so that a kill loses nothing written."""

import os
from pathlib import Path

from doorbuster.errors import DoorbusterError


class AppendedFile:
    """A file opened in append mode; nothing is kept back in this process."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)

    def append(self, lines: bytes) -> None:
        """Write whole lines; less than all of them (a full disk) is a failure of the harness."""
        written = os.write(self._descriptor, lines)
        if written < len(lines):
            raise DoorbusterError(f"{self._path}: wrote {written} of {len(lines)} bytes")

    def close(self) -> None:
        os.close(self._descriptor)
