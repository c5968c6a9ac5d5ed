"""All proxies of a server: created, replaced, found and reset."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random

from chaos.proxy.body import Body
from chaos.proxy.errors import ApiError
from chaos.proxy.proxy import Proxy


@dataclass(frozen=True)
class Wanted:
    """A proxy as a client asked for it."""

    name: str
    listen: str
    upstream: str
    enabled: bool

    @classmethod
    def parse(cls, body: Body) -> "Wanted":
        return cls(
            name=body.text("name", ""),
            listen=body.text("listen", ""),
            upstream=body.text("upstream", ""),
            enabled=body.flag("enabled", default=True),
        )

    def require_all(self, where: str = "") -> None:
        for field in ("name", "upstream"):
            if not getattr(self, field):
                raise ApiError(400, f"missing required field: {field}{where}")


class Proxies:
    """The proxies by name.

    Nothing but resolving a host name is ever waited for. One change at a time meanwhile, so that a
    proxy is not started after it was deleted; toxics do not wait at all.
    """

    def __init__(self, random: Random) -> None:
        self._random = random
        self._by_name: dict[str, Proxy] = {}
        self._changing = asyncio.Lock()

    def __iter__(self) -> Iterator[Proxy]:
        return iter([self._by_name[name] for name in sorted(self._by_name)])

    def get(self, name: str) -> Proxy:
        if name not in self._by_name:
            raise ApiError(404, "proxy not found")
        return self._by_name[name]

    async def create(self, body: Body) -> Proxy:
        wanted = Wanted.parse(body)
        wanted.require_all()
        async with self._changing:
            if wanted.name in self._by_name:
                raise ApiError(409, "proxy already exists")
            return await self._make(wanted)

    async def update(self, name: str, body: Body) -> Proxy:
        """Move, enable or disable a proxy; moving closes its connections and keeps its toxics."""
        async with self._changing:
            proxy = self.get(name)
            listen = body.text("listen", proxy.listen)
            upstream = body.text("upstream", proxy.upstream)
            enabled = body.flag("enabled", default=proxy.enabled)
            if await proxy.differs(listen=listen, upstream=upstream):
                proxy.stop()
                proxy.listen, proxy.upstream = listen, upstream
            if enabled and not proxy.enabled:
                await proxy.start()
            elif not enabled:
                proxy.stop()
        return proxy

    async def delete(self, name: str) -> None:
        async with self._changing:
            self.get(name).stop()
            del self._by_name[name]

    async def populate(self, bodies: Sequence[Body], applied: list[Proxy]) -> None:
        """Make the proxies of `bodies` exist, adding each to `applied` as it does."""
        all_wanted = [Wanted.parse(body) for body in bodies]
        for number, wanted in enumerate(all_wanted, start=1):
            wanted.require_all(where=f" at proxy {number}")
        async with self._changing:
            for wanted in all_wanted:
                # When an entry fails, those before it must be in the list.
                applied.append(await self._replace(wanted))  # noqa: PERF401

    async def reset(self) -> None:
        """Start every disabled proxy and remove every toxic."""
        async with self._changing:
            for proxy in self:
                if not proxy.enabled:
                    await proxy.start()
                for toxic in proxy.toxics:
                    proxy.remove_toxic(toxic)

    def close(self) -> None:
        """Close every listener and connection; the server ends."""
        for proxy in self:
            proxy.stop()

    async def _replace(self, wanted: Wanted) -> Proxy:
        existing = self._by_name.get(wanted.name)
        if existing is not None:
            if not await existing.differs(listen=wanted.listen, upstream=wanted.upstream):
                return existing
            existing.stop()
        return await self._make(wanted)

    async def _make(self, wanted: Wanted) -> Proxy:
        proxy = Proxy(
            wanted.name, listen=wanted.listen, upstream=wanted.upstream, random=self._random
        )
        if wanted.enabled:
            await proxy.start()
        self._by_name[proxy.name] = proxy
        return proxy
