"""What the generator's first process tells the director: a JSON line each on its standard output.

Besides these lines there is one plain one, `ready`: from then on arrivals can begin.
"""

from typing import Literal

import msgspec

What = Literal["listening", "joined", "refused", "clock", "lost"]

LOST_EXIT_CODE = 3
"""How the generator's first process ends when workers were lost and all else was in order."""


class News(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """One thing that happened.

    Args:
        what: `listening` for workers on a port; a worker `joined`, was `refused` or `lost`; its
            `clock` was compared again.
        worker: The worker's number, which its files carry.
        offset_s: What has to be added to the worker's clock to get the director's.
        uncertainty_s: How far off that can be at most.
        kept: Of a lost worker: all that it wrote is in the run directory.
    """

    what: What
    worker: int | None = None
    host: str | None = None
    pid: int | None = None
    port: int | None = None
    python: str | None = None
    offset_s: float | None = None
    uncertainty_s: float | None = None
    kept: bool | None = None
    message: str = ""


def no_news(_: News) -> None:
    """Be nobody who listens."""
