"""One direction of a connection: from a socket through the toxics to the other socket."""

from collections.abc import Iterable
from functools import cached_property
from random import Random

from chaos.proxy.side import Side
from chaos.proxy.tally import Tallied, Tally
from chaos.proxy.toxic import Toxic
from chaos.proxy.toxics.stage import Clock, Outlet, Stage

CHUNK_BYTES_MAX = 32 * 1024
"""What Toxiproxy reads at once: toxics draw and count by chunk, so ours must not be larger."""


class Link:
    """A chain of stages, one for each toxic of its direction, in the order they were added.

    Stages that the toxicity draw spared are left out of the way. With none in the way the source
    writes straight into the destination's transport: no code of ours runs for a chunk then.
    """

    def __init__(
        self,
        source: Side,
        destination: Side,
        *,
        clock: Clock,
        seed: str,
        tally: Tally | None = None,
    ) -> None:
        self.clock = clock
        self._seed = seed
        self._source = source
        self._destination = destination
        self._tally = tally
        self._last: Outlet = destination if tally is None else Tallied(destination, tally)
        self._first: Outlet = self._last
        self._stages: list[Stage] = []
        self._by_name: dict[str, Stage] = {}
        self._holds = 0
        self._ended = False

    @cached_property
    def random(self) -> Random:
        """What toxics draw from: the same on every run, whatever other connections do."""
        return Random(self._seed)

    def start(self, toxics: Iterable[Toxic]) -> None:
        """Act on a connection that just opened."""
        for toxic in toxics:
            covered = toxic.quota is None or toxic.quota.take()
            if toxic.kind.resets and covered:
                self._source.close_with_reset()
                self._destination.close_with_reset()
            self._append(toxic, covered=covered)
        self._wire()
        for stage in self._stages:
            stage.begin_if_active()

    def add(self, toxic: Toxic) -> None:
        """Act on a connection that was open before the toxic was there."""
        stage = self._append(toxic, covered=toxic.quota is None)
        self._wire()
        stage.begin_if_active()

    def update(self, toxic: Toxic) -> None:
        """Act by changed attributes from now on, and draw again whether this link is affected."""
        stage = self._by_name[toxic.name]
        if stage.doomed or stage.closed:
            return
        stage.interrupt()
        stage.attributes = toxic.attributes
        stage.active = stage.covered and self._draw(toxic)
        if not stage.active:
            stage.leave()
        self._wire()
        stage.begin_if_active()

    def remove(self, toxic: Toxic) -> None:
        stage = self._by_name.pop(toxic.name)
        if stage.doomed or stage.closed:
            return
        stage.leave()
        if toxic.kind.closes_when_removed and stage.covered:
            stage.close()
        self._stages.remove(stage)
        self._wire()

    def end(self) -> None:
        """Pass on that the source has nothing more to say; the first time counts."""
        if not self._ended:
            self._ended = True
            if self._tally is not None:
                self._tally.report_received()
            self._first.end()

    def abandon(self) -> None:
        """Drop what comes from now on, since the destination has gone."""
        for stage in self._stages:
            stage.stop()
        self._source.read_into(_drop if self._tally is None else self._tally.lose)

    def hold(self) -> None:
        self._holds += 1
        if self._holds == 1:
            self._source.pause()

    def resume(self) -> None:
        self._holds -= 1
        if self._holds == 0:
            self._source.unpause()

    def _append(self, toxic: Toxic, *, covered: bool) -> Stage:
        stage = toxic.kind(toxic.attributes, self)
        stage.covered = covered
        stage.active = covered and self._draw(toxic)
        self._stages.append(stage)
        self._by_name[toxic.name] = stage
        return stage

    def _draw(self, toxic: Toxic) -> bool:
        return self.random.random() < toxic.toxicity

    def _wire(self) -> None:
        following: Outlet = self._last
        for stage in reversed(self._stages):
            stage.output = following
            if stage.active:
                following = stage
        self._first = following
        if self._destination.lost:
            return
        # Bytes are counted on their way, so with metrics there is no short cut.
        direct = following is self._destination
        self._source.read_into(self._destination.transport.write if direct else self._feed)

    def _feed(self, data: bytes) -> None:
        if self._tally is not None:
            self._tally.received_bytes += len(data)
        if len(data) <= CHUNK_BYTES_MAX:
            self._first.feed(data)
            return
        for start in range(0, len(data), CHUNK_BYTES_MAX):
            self._first.feed(data[start : start + CHUNK_BYTES_MAX])


def _drop(data: bytes) -> None:
    """Take data that nobody is left to read."""
