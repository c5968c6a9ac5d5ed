"""The `bandwidth` toxic: so many kilobytes a second, per connection and direction."""

from collections.abc import Mapping
from typing import ClassVar

from chaos.proxy.toxics.one_by_one import OneByOne
from chaos.proxy.toxics.stage import Flow

SLICE_S = 0.1


class Bandwidth(OneByOne):
    """Passes a chunk on when the bytes up to its end fit the rate; a KB has 1000 bytes.

    What takes longer than 100 ms goes in slices of 100 ms. With a rate of 0 everything waits, and
    is delivered when the toxic changes or goes.
    """

    defaults: ClassVar[Mapping[str, int]] = {"rate": 0}

    @classmethod
    def refused(cls, attributes: Mapping[str, int]) -> str | None:
        rate = attributes["rate"]
        return f"rate must be 0 or more, not {rate}" if rate < 0 else None

    def __init__(self, attributes: Mapping[str, int], flow: Flow) -> None:
        super().__init__(attributes, flow)
        self._free_s = 0.0
        """When all that was passed on fits the rate, so that timers that ring late cost nothing."""

    def begin(self) -> None:
        self._free_s = 0.0
        super().begin()

    def work(self) -> None:
        self._free_s = max(self._free_s, self.flow.clock.time())
        self._await_slice()

    def _await_slice(self) -> None:
        rate = self.attributes["rate"]
        if rate == 0:
            return
        took_s = len(self.waiting[0]) / (rate * 1000)
        self._free_s += min(took_s, SLICE_S)
        self.at(self._free_s, self._pass_slice if took_s > SLICE_S else self._pass_rest)

    def _pass_slice(self) -> None:
        slice_bytes = self.attributes["rate"] * 100
        chunk = memoryview(self.waiting[0])
        self.waiting[0] = chunk[slice_bytes:]
        self.output.feed(bytes(chunk[:slice_bytes]))
        self._await_slice()

    def _pass_rest(self) -> None:
        self.output.feed(bytes(self.waiting[0]))
        self.passed()
