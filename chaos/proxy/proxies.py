"""All proxies of a server: created, replaced, found, reset and healed."""

import asyncio
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from chaos.proxy.address import Address, resolve
from chaos.proxy.body import Body
from chaos.proxy.clock import best_clock
from chaos.proxy.countdown import Countdown
from chaos.proxy.errors import ApiError
from chaos.proxy.proxy import Proxy, Surroundings
from chaos.proxy.tally import Totals

HEAL_AGAIN_MS = 1000
"""How long to wait for an address that somebody else has when a proxy should heal."""

log = logging.getLogger("doorbuster.proxy")


@dataclass(frozen=True)
class Wanted:
    """A proxy as a client asked for it."""

    name: str
    listen: str
    upstream: str
    enabled: bool
    ttl_ms: int | None

    @classmethod
    def parse(cls, body: Body, like: Proxy | None = None) -> "Wanted":
        """Read a proxy; what is not given is as it is with `like`."""
        enabled = body.flag("enabled", default=like is None or like.enabled)
        ttl_ms = body.count("ttl_ms")
        if ttl_ms and enabled:
            raise ApiError(400, "ttl_ms is for a proxy that is disabled")
        return cls(
            name=body.text("name", ""),
            listen=body.text("listen", like.listen if like else ""),
            upstream=body.text("upstream", like.upstream if like else ""),
            enabled=enabled,
            ttl_ms=ttl_ms,
        )

    def require_all(self, where: str = "") -> None:
        for field in ("name", "upstream"):
            if not getattr(self, field):
                raise ApiError(400, f"missing required field: {field}{where}")


class Proxies:
    """The proxies by name.

    Nothing but resolving a host name is ever waited for. Every change comes after that, in one
    piece, so that no change waits for another; what was true before has to be asked again then.
    """

    def __init__(self, *, seed: int, totals: Totals | None = None) -> None:
        self._clock = best_clock()
        self._around = Surroundings(
            clock=self._clock, seed=seed, totals=totals, heal=self._heal_soon
        )
        self._by_name: dict[str, Proxy] = {}
        self._healing: set[asyncio.Task[None]] = set()
        self.lease = Countdown(self._lift_all)
        """When it is over all faults lift: whoever made them did not renew it."""

    def __iter__(self) -> Iterator[Proxy]:
        return iter([self._by_name[name] for name in sorted(self._by_name)])

    def get(self, name: str) -> Proxy:
        if name not in self._by_name:
            raise ApiError(404, "proxy not found")
        return self._by_name[name]

    async def create(self, body: Body) -> Proxy:
        wanted = Wanted.parse(body)
        wanted.require_all()
        self._require_free(wanted.name)
        address = await _address(wanted)
        self._require_free(wanted.name)
        return self._make(wanted, address)

    async def update(self, name: str, body: Body) -> Proxy:
        """Move, enable or disable a proxy; moving closes its connections and keeps its toxics."""
        address = await resolve(Wanted.parse(body, like=self.get(name)).listen)
        proxy = self.get(name)
        wanted = Wanted.parse(body, like=proxy)
        if str(address) != proxy.listen or wanted.upstream != proxy.upstream:
            proxy.stop()
            proxy.listen, proxy.upstream = wanted.listen, wanted.upstream
        if wanted.enabled and not proxy.enabled:
            proxy.start(address)
        elif not wanted.enabled:
            proxy.stop()
            if body.says("enabled", "ttl_ms"):
                _limit_outage(proxy, wanted.ttl_ms)
        return proxy

    def delete(self, name: str) -> None:
        self.get(name).forget()
        del self._by_name[name]

    async def populate(self, bodies: Sequence[Body], applied: list[Proxy]) -> None:
        """Make the proxies of `bodies` exist, adding each to `applied` as it does."""
        all_wanted = [Wanted.parse(body) for body in bodies]
        for number, wanted in enumerate(all_wanted, start=1):
            wanted.require_all(where=f" at proxy {number}")
        for wanted in all_wanted:
            # When an entry fails, those before it must be in the list.
            applied.append(await self._replace(wanted))  # noqa: PERF401

    async def reset(self) -> None:
        """Start every disabled proxy and remove every toxic."""
        for proxy in self:
            await self._enable(proxy)
            proxy.remove_toxics()

    def close(self) -> None:
        """Close every listener and connection; the server ends."""
        self.lease.stop()
        for task in self._healing:
            task.cancel()
        for proxy in self:
            proxy.forget()
        self._clock.close()

    def _require_free(self, name: str) -> None:
        if name in self._by_name:
            raise ApiError(409, "proxy already exists")

    async def _replace(self, wanted: Wanted) -> Proxy:
        existing = self._by_name.get(wanted.name)
        if existing is not None:
            same = str(await resolve(wanted.listen)) == existing.listen
            if same and wanted.upstream == existing.upstream:
                return existing
            existing.stop()
        made = self._make(wanted, await _address(wanted))
        if existing is not None:
            existing.forget()
        return made

    def _make(self, wanted: Wanted, address: Address | None) -> Proxy:
        proxy = Proxy(
            wanted.name, listen=wanted.listen, upstream=wanted.upstream, around=self._around
        )
        if address is not None:
            proxy.start(address)
        _limit_outage(proxy, wanted.ttl_ms)
        self._by_name[proxy.name] = proxy
        return proxy

    async def _enable(self, proxy: Proxy) -> None:
        if proxy.enabled:
            return
        address = await _listen_address(proxy.listen)
        if self._by_name.get(proxy.name) is proxy and not proxy.enabled:
            proxy.start(address)

    def _lift_all(self) -> None:
        log.warning("the lease is over: all faults lift")
        for proxy in self:
            proxy.remove_toxics()
            if not proxy.enabled:
                self._heal_soon(proxy)

    def _heal_soon(self, proxy: Proxy) -> None:
        task = asyncio.get_running_loop().create_task(self._heal(proxy))
        self._healing.add(task)
        task.add_done_callback(self._healing.discard)

    async def _heal(self, proxy: Proxy) -> None:
        try:
            await self._enable(proxy)
        except ApiError as error:
            log.warning("proxy %s cannot heal yet: %s", proxy.name, error.text)
            if self._by_name.get(proxy.name) is proxy:
                proxy.healing.start(HEAL_AGAIN_MS)


def _limit_outage(proxy: Proxy, ttl_ms: int | None) -> None:
    proxy.healing.stop()
    if ttl_ms is not None:
        proxy.healing.start(ttl_ms)


async def _address(wanted: Wanted) -> Address | None:
    """Return where a proxy is to listen, or None when it is not to listen yet."""
    return await _listen_address(wanted.listen) if wanted.enabled else None


async def _listen_address(text: str) -> Address:
    try:
        return await resolve(text)
    except ApiError as error:
        raise ApiError(error.status, f"listen tcp: {error.text}") from None
