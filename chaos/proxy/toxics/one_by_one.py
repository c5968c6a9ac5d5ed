"""What toxics share that work on one chunk after the other."""

from abc import abstractmethod
from collections import deque
from collections.abc import Mapping

from chaos.proxy.toxics.stage import Flow, Stage


class OneByOne(Stage):
    """Passes a chunk on before it looks at the next; the source is held up meanwhile.

    What the toxics ahead of it let go in the meantime waits here, and so does the end.
    """

    def __init__(self, attributes: Mapping[str, int], flow: Flow) -> None:
        super().__init__(attributes, flow)
        self.waiting: deque[bytes | memoryview] = deque()
        self._ended = False

    @abstractmethod
    def work(self) -> None:
        """Begin with the first waiting chunk; `passed` ends with it."""

    def passed(self) -> None:
        """Go on with the next chunk, now that nothing of the first one is left here."""
        self.waiting.popleft()
        if self.waiting:
            self.work()
            return
        self.flow.resume()
        if self._ended:
            self.close()

    def begin(self) -> None:
        if self.waiting:
            self.work()

    def feed(self, chunk: bytes) -> None:
        self.waiting.append(chunk)
        if len(self.waiting) == 1:
            self.flow.hold()
            self.work()

    def end(self) -> None:
        self._ended = True
        if not self.waiting:
            self.close()

    def interrupt(self) -> None:
        """Let the chunk at the front go; the others are for what comes next, if anything."""
        self.stop()
        if self.waiting:
            self._pass_first()

    def leave(self) -> None:
        self.stop()
        while self.waiting:
            self._pass_first()
        if self._ended:
            self.close()

    def _pass_first(self) -> None:
        chunk = self.waiting.popleft()
        if not self.waiting:
            self.flow.resume()
        if chunk:
            self.output.feed(bytes(chunk))
