"""The `reset_peer` toxic: the connection is reset once something is sent on it."""

from collections.abc import Mapping
from typing import ClassVar

from chaos.proxy.toxics.stage import Stage


class ResetPeer(Stage):
    """Drops the first chunk, or the end, waits `timeout` ms and closes.

    It closes with RST on connections that started while it was there, whatever their toxicity
    draw, and with FIN on older ones: the socket option is set when a connection starts.
    """

    defaults: ClassVar[Mapping[str, int]] = {"timeout": 0}
    resets: ClassVar[bool] = True

    def feed(self, chunk: bytes) -> None:  # noqa: ARG002  dropping it is the point
        self._doom()

    def end(self) -> None:
        self._doom()

    def _doom(self) -> None:
        if not self.doomed:
            self.doomed = True
            self.after(self.attributes["timeout"], self.close)
