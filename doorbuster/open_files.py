"""How many files a process may have open; every connection is one."""

import resource
from typing import Final

MACOS_FILES: Final = 10_240
"""Its OPEN_MAX: where there is no hard limit, it takes no soft one of `unlimited`."""


def raise_open_files() -> None:
    """Raise the soft limit to the hard one, which children inherit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (_most(soft, hard), hard))


def _most(soft: int, hard: int) -> int:
    if hard != resource.RLIM_INFINITY or soft == resource.RLIM_INFINITY:
        return hard
    return max(soft, MACOS_FILES)
