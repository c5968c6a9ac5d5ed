"""One toxic at work on one link: what every toxic shares. Alone it is `noop`: it passes all on."""

from collections.abc import Callable, Mapping
from random import Random
from typing import ClassVar, Protocol


class Timer(Protocol):
    """Something to come that can be called off."""

    def cancel(self) -> None: ...


class Clock(Protocol):
    """What toxics know of time, so that their tests can move it by hand."""

    def time(self) -> float: ...

    def call_later(self, delay: float, callback: Callable[[], object], /) -> Timer: ...


class Outlet(Protocol):
    """What a stage hands its bytes to: the next stage, or the socket at the end of the link."""

    def feed(self, chunk: bytes) -> None: ...

    def end(self) -> None: ...


class Flow(Protocol):
    """What a stage may ask of its link."""

    @property
    def clock(self) -> Clock: ...

    @property
    def random(self) -> Random: ...

    def hold(self) -> None:
        """Stop reading from the source until `resume`, so that nothing buffers without bound."""

    def resume(self) -> None: ...


class Stage:
    """A toxic on one direction of one connection, told of chunks and of their end as they come.

    A toxic overrides what it changes. It may keep chunks back and may close, which closes the
    socket at the end of the link once all that is ahead of it there has been sent.
    """

    defaults: ClassVar[Mapping[str, int]] = {}
    """The attributes of this type, which are all integers, with their defaults."""
    closes_when_removed: ClassVar[bool] = False
    """Whether data was dropped, so that a connection cannot go on when the toxic is gone."""
    resets: ClassVar[bool] = False
    """Whether connections that start while it exists close with RST instead of FIN."""

    @classmethod
    def refused(cls, attributes: Mapping[str, int]) -> str | None:  # noqa: ARG003
        """Return why these attributes are refused, or None: the original would crash on them."""
        return None

    def __init__(self, attributes: Mapping[str, int], flow: Flow) -> None:
        self.attributes = attributes
        self.covered = True
        """Whether the toxic is meant for this connection at all; not those after its first few."""
        self.active = False
        """Whether the toxicity draw chose this link. A spared stage is not in the way of data."""
        self.closed = False
        self.doomed = False
        """Whether it will close whatever happens to its toxic, which it then outlives."""
        self.output: Outlet
        self.flow = flow
        self._timer: Timer | None = None

    def begin(self) -> None:
        """Start to act on a link: the toxic was added to it, drawn for it or changed."""

    def begin_if_active(self) -> None:
        if self.active:
            self.begin()

    def feed(self, chunk: bytes) -> None:
        self.output.feed(chunk)

    def end(self) -> None:
        self.close()

    def interrupt(self) -> None:
        """Stop to act, since the toxic is about to change."""
        self.stop()

    def leave(self) -> None:
        """Let go of all that is held back, since the toxic goes or now spares the link."""
        self.interrupt()

    def close(self) -> None:
        """End the link here."""
        self.stop()
        if not self.closed:
            self.closed = True
            self.output.end()

    def at(self, due_s: float, action: Callable[[], None]) -> None:
        """Call `action` then and not before, in place of what was to be called until now."""
        self.stop()

        def ring() -> None:
            if self.flow.clock.time() < due_s:
                self.at(due_s, action)
            else:
                self._timer = None
                action()

        self._timer = self.flow.clock.call_later(max(0.0, due_s - self.flow.clock.time()), ring)

    def after(self, delay_ms: float, action: Callable[[], None]) -> None:
        self.at(self.flow.clock.time() + delay_ms / 1000, action)

    def stop(self) -> None:
        """Forget what was to be called later."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
