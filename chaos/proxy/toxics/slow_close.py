"""The `slow_close` toxic: data passes, and the connection takes long to close."""

from collections.abc import Mapping
from typing import ClassVar

from chaos.proxy.toxics.stage import Flow, Stage


class SlowClose(Stage):
    """Holds the end of its direction for `delay` ms."""

    defaults: ClassVar[Mapping[str, int]] = {"delay": 0}

    def __init__(self, attributes: Mapping[str, int], flow: Flow) -> None:
        super().__init__(attributes, flow)
        self._ended = False

    def begin(self) -> None:
        if self._ended:
            self.after(self.attributes["delay"], self.close)

    def end(self) -> None:
        self._ended = True
        self.begin()

    def leave(self) -> None:
        self.stop()
        if self._ended:
            self.close()
