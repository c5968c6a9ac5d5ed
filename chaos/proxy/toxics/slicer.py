"""The `slicer` toxic: data arrives in many small pieces."""

from collections.abc import Iterator, Mapping
from random import Random
from typing import ClassVar

from chaos.proxy.toxics.one_by_one import OneByOne


class Slicer(OneByOne):
    """Halves chunks until each piece is small, and waits `delay` microseconds after each piece."""

    defaults: ClassVar[Mapping[str, int]] = {"average_size": 0, "size_variation": 0, "delay": 0}

    @classmethod
    def refused(cls, attributes: Mapping[str, int]) -> str | None:
        average, variation = attributes["average_size"], attributes["size_variation"]
        if average < 1:
            return f"average_size must be 1 or more, not {average}"
        if not 1 - average <= variation <= average:
            return f"size_variation must be from {1 - average} to average_size, not {variation}"
        return None

    def work(self) -> None:
        chunk = memoryview(self.waiting[0])
        self.waiting[0] = chunk
        self._sizes = piece_sizes(
            len(chunk),
            average=self.attributes["average_size"],
            variation=self.attributes["size_variation"],
            random=self.flow.random,
        )
        # Due times are counted from the first piece: a timer that rings late is made up for.
        self._due_s = self.flow.clock.time()
        self._pass_piece()

    def _pass_piece(self) -> None:
        chunk = self.waiting[0]
        if not chunk:
            self.passed()
            return
        size = next(self._sizes)
        self.waiting[0] = chunk[size:]
        self.output.feed(bytes(chunk[:size]))
        self._due_s += max(0, self.attributes["delay"]) / 1e6
        # Never in the same turn of the loop, which would send both pieces as one.
        self.at(self._due_s, self._pass_piece)


def piece_sizes(size: int, *, average: int, variation: int, random: Random) -> Iterator[int]:
    """Return the sizes of the pieces of a chunk, none of them 0, which add up to its size."""
    if size <= average + variation:
        if size:
            yield size
        return
    cut = size // 2
    if variation > 0:
        cut += random.randrange(-variation, variation)
    yield from piece_sizes(cut, average=average, variation=variation, random=random)
    yield from piece_sizes(size - cut, average=average, variation=variation, random=random)
