"""What ends a fault that would outlive whoever began it."""

import msgspec


class Pledge(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A command, and how long it may take."""

    command: tuple[str, ...]
    bound_s: float
