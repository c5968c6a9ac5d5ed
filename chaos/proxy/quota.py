"""Which connections a toxic may act on: all, or only the first few that start after it came."""


class Quota:
    """A count of connections to act on, used up as they start."""

    def __init__(self, connections: int) -> None:
        self.left = connections

    def take(self) -> bool:
        """Use one up, if there is one."""
        if self.left == 0:
            return False
        self.left -= 1
        return True
