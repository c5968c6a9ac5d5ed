"""One-second samples of the system under test while traffic is on: stock, processes, replication.

They are taken in a thread of their own and straight from the shop and the database, past the
proxy. A sample that cannot be had in time is left out: a gap in the series is evidence too.
"""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import asyncpg
import httpx
import msgspec
import psutil

from doorbuster.clock import Clock
from doorbuster.components import DatabaseNode, Topology
from doorbuster.patient_file import PatientFile
from doorbuster.rundir import RunDirectory
from doorbuster.series import ProcessSecond, ReplicationSecond, StockSecond

INTERVAL_S: Final = 1.0
TIMEOUT_S: Final = 0.9

REPLICATION: Final = """
    SELECT pg_is_in_recovery(),
           coalesce(pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn), 0)::bigint,
           coalesce(extract(epoch FROM replay_lag), 0)::float8
    FROM (SELECT 1) AS one
    LEFT JOIN pg_stat_replication ON true
    LIMIT 1
"""


@contextmanager
def sampling(topology: Topology, clock: Clock, run: RunDirectory) -> Iterator[None]:
    """Take samples until the body ends."""
    stop = threading.Event()
    sampler = Sampler(topology, clock, run)
    thread = threading.Thread(
        target=lambda: asyncio.run(sampler.run(stop)), name="samples", daemon=True
    )
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(timeout=5 * TIMEOUT_S)


@dataclass
class Sampler:
    """Where samples come from and go to."""

    topology: Topology
    clock: Clock
    series: RunDirectory
    _seen: dict[int, psutil.Process] = field(default_factory=dict)

    async def run(self, stop: threading.Event) -> None:
        """Sample each source once a second; a slow one does not hold up the others."""
        async with httpx.AsyncClient(
            base_url=self.topology.shop_direct_url,
            headers={"Authorization": f"Bearer {self.topology.ops_token}"},
            timeout=TIMEOUT_S,
            trust_env=False,
        ) as client:
            await asyncio.gather(
                self._repeat(stop, "stock", lambda: self._stock(client)),
                self._repeat(stop, "processes", self._processes),
                self._repeat(stop, "replication", self._replication),
            )

    async def _repeat(
        self,
        stop: threading.Event,
        name: str,
        sample: Callable[[], Awaitable[Sequence[msgspec.Struct]]],
    ) -> None:
        with closing(PatientFile(self.series.series / f"{name}.ndjson")) as file:
            while not stop.is_set():
                next_s = self.clock.now_s() + INTERVAL_S
                rows = await sample()
                file.append(b"".join(msgspec.json.encode(row) + b"\n" for row in rows))
                await asyncio.to_thread(stop.wait, max(0.0, next_s - self.clock.now_s()))

    async def _stock(self, client: httpx.AsyncClient) -> list[StockSecond]:
        try:
            answer = await client.get("/ops/inventory")
        except httpx.HTTPError:
            return []
        if answer.status_code != httpx.codes.OK:
            return []
        at_s = round(self.clock.now_s(), 3)
        return [msgspec.convert({"at_s": at_s, **row}, StockSecond) for row in answer.json()]

    async def _processes(self) -> list[ProcessSecond]:
        """Measure each component with all its descendants; the first look at one gives no CPU."""
        return await asyncio.to_thread(
            lambda: [
                self._component(name, component.pids())
                for name, component in self.topology.components.items()
            ]
        )

    def _component(self, name: str, pids: Sequence[int]) -> ProcessSecond:
        cpu_share, rss_bytes = 0.0, 0
        for pid in pids:
            try:
                process = self._seen.setdefault(pid, psutil.Process(pid))
                cpu_share += process.cpu_percent() / 100
                rss_bytes += process.memory_info().rss
            except psutil.Error:
                self._seen.pop(pid, None)
        return ProcessSecond(round(self.clock.now_s(), 3), name, round(cpu_share, 3), rss_bytes)

    async def _replication(self) -> list[ReplicationSecond]:
        for node in self.topology.database:
            row = await _ask(node)
            if row is not None and not row[0]:
                at_s = round(self.clock.now_s(), 3)
                return [ReplicationSecond(at_s, node.component.name, row[1], row[2])]
        return []


async def _ask(node: DatabaseNode) -> Any:
    """Return whether a node is in recovery and how far its standby is behind; None if it is down.

    On a standby the current write position cannot be asked for, which is an answer too.
    """
    try:
        async with asyncio.timeout(TIMEOUT_S):
            connection = await asyncpg.connect(node.direct_dsn)
            try:
                return await connection.fetchrow(REPLICATION)
            finally:
                connection.terminate()
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
        return None
