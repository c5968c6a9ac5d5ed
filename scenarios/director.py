"""The line to the director: standard output, kept for words that it understands."""

import os
from typing import Final

_OUTPUT: Final = 1
_ERRORS: Final = 2


class Line:
    """Standard output for ourselves; from then on whatever else is printed goes to the log.

    Shoppers written in Python, Locust files and what these import may print, some of it past
    `sys.stdout`, and among our lines theirs would not be understood. Taken before any of that is
    imported; the programs that it starts do not inherit our line either.
    """

    def __init__(self) -> None:
        self._descriptor = os.dup(_OUTPUT)
        os.dup2(_ERRORS, _OUTPUT)

    def tell(self, line: bytes) -> None:
        """Write one line, at once."""
        rest = line + b"\n"
        while rest:
            rest = rest[os.write(self._descriptor, rest) :]
