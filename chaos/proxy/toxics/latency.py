"""The `latency` toxic: every chunk arrives later, by a delay with jitter."""

from collections import deque
from collections.abc import Mapping
from typing import ClassVar

from chaos.proxy.toxics.stage import Flow, Stage

CHUNKS_HELD_MAX = 1024


class Latency(Stage):
    """Delays each chunk from its receipt, so that chunks sent apart arrive as far apart.

    Order is kept, whatever jitter draws. Neither connecting nor the end of the stream is delayed.
    """

    defaults: ClassVar[Mapping[str, int]] = {"latency": 0, "jitter": 0}

    def __init__(self, attributes: Mapping[str, int], flow: Flow) -> None:
        super().__init__(attributes, flow)
        self._held: deque[tuple[float, bytes]] = deque()
        self._ended = False

    def feed(self, chunk: bytes) -> None:
        self._held.append((self.flow.clock.time(), chunk))
        if len(self._held) == CHUNKS_HELD_MAX:
            self.flow.hold()
        if len(self._held) == 1:
            self._await_first()

    def end(self) -> None:
        self._ended = True
        if not self._held:
            self.close()

    def begin(self) -> None:
        if self._held:
            self._await_first()

    def interrupt(self) -> None:
        """Let the chunk at the front go; those behind it are delayed by what comes next, if any."""
        self.stop()
        if self._held:
            self._pass_first()

    def leave(self) -> None:
        self.stop()
        while self._held:
            self._pass_first()

    def _delay_s(self) -> float:
        jitter_ms = self.attributes["jitter"]
        spread_ms = self.flow.random.uniform(-jitter_ms, jitter_ms) if jitter_ms > 0 else 0.0
        return (self.attributes["latency"] + spread_ms) / 1000

    def _await_first(self) -> None:
        received_s, _ = self._held[0]
        self.at(received_s + self._delay_s(), self._first_is_due)

    def _first_is_due(self) -> None:
        self._pass_first()
        if self._held:
            self._await_first()

    def _pass_first(self) -> None:
        _, chunk = self._held.popleft()
        if len(self._held) == CHUNKS_HELD_MAX - 1:
            self.flow.resume()
        self.output.feed(chunk)
        if self._ended and not self._held:
            self.close()
