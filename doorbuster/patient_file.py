"""A file that only grows and never refuses: what cannot be written yet waits for the next line."""

import os
import threading
from pathlib import Path


class PatientFile:
    """Appends lines, each with one write, from any thread.

    A full disk must not keep whoever writes a line from what he is about to do, such as lifting a
    fault. He, or somebody else, asks for the `trouble` when there is time for it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        self._lock = threading.Lock()
        self._waiting = b""
        self._trouble = ""

    @property
    def trouble(self) -> str:
        """Why lines are waiting, "" if none are."""
        return self._trouble

    def append(self, lines: bytes) -> None:
        """Write whole lines, after those that have waited."""
        with self._lock:
            self._waiting += lines
            try:
                written = os.write(self._descriptor, self._waiting)
            except OSError as error:
                self._trouble = f"{self._path}: {error.strerror}"
                return
            self._waiting = self._waiting[written:]
            self._trouble = f"{self._path}: no room for all of a line" if self._waiting else ""

    def close(self) -> None:
        os.close(self._descriptor)
