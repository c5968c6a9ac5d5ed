"""The `limit_data` toxic: the connection closes after so many bytes."""

from collections.abc import Mapping
from typing import ClassVar

from chaos.proxy.toxics.stage import Flow, Stage


class LimitData(Stage):
    """Passes `bytes` bytes, then closes; with 0 it closes on the first chunk.

    The count goes on when the limit changes.
    """

    defaults: ClassVar[Mapping[str, int]] = {"bytes": 0}

    def __init__(self, attributes: Mapping[str, int], flow: Flow) -> None:
        super().__init__(attributes, flow)
        self._passed_bytes = 0

    def feed(self, chunk: bytes) -> None:
        if self.closed:
            return
        limit = self.attributes["bytes"]
        passing = chunk[: max(0, limit - self._passed_bytes)]
        if passing:
            self._passed_bytes += len(passing)
            self.output.feed(passing)
        if self._passed_bytes >= limit:
            self.close()
