"""The `timeout` toxic: nothing gets through, and the connection may close after a while."""

from collections.abc import Mapping
from typing import ClassVar

from chaos.proxy.toxics.stage import Stage


class Timeout(Stage):
    """Drops all data; closes after `timeout` ms without a new chunk, or when the sender ends.

    With 0 it never closes by itself.
    """

    defaults: ClassVar[Mapping[str, int]] = {"timeout": 0}
    closes_when_removed: ClassVar[bool] = True

    def begin(self) -> None:
        if self.attributes["timeout"] > 0 and not self.closed:
            self.after(self.attributes["timeout"], self.close)

    def feed(self, chunk: bytes) -> None:  # noqa: ARG002  dropping it is the point
        self.begin()
