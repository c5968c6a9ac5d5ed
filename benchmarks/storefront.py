"""How many checkouts a second the shop takes, beside what one hot row could take at best.

    .venv/bin/python -m benchmarks.storefront [STRATEGY]...

For each correct strategy, or those that are named, on one SKU and on fifty, with and without the
synchronous standby: buyers on kept connections check out one after the other, straight at one
replica whose database connections cross the proxy. The ceiling is pgbench on the same Postgres in
the same run: the same conditional update and nothing else, each in a transaction of its own,
without the proxy. Client, shop and databases share the machine's cores, so the ratio says more than
the figure; the processor time of each of them for one checkout says where the rest of the ceiling
goes.
The results of all go to `benchmarks/results/storefront.json`.
"""

import argparse
import asyncio
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import asyncpg
import httpx
import psutil

from chaos.server import choose_proxy
from chaos.toxiproxy import ToxiproxyApi
from doorbuster.cli.stacks import own_or_shared
from doorbuster.components import Topology
from doorbuster.stack.binaries import wheel_install
from doorbuster.stack.embedded import embedded
from doorbuster.stack.order import StackOrder

ROOT = Path(__file__).resolve().parent.parent
STRATEGIES = ("conditional_update", "row_lock", "unit_rows", "buckets", "redis_gate")
REPLICATIONS: tuple[Literal["synchronous", "asynchronous"], ...] = ("synchronous", "asynchronous")
BUYERS = 16
LOAD_S = 4.0
CEILING_S = 4
STOCK = 20_000
HOT_ROW_TABLE = """
CREATE TABLE hot_row (sku text PRIMARY KEY, available bigint NOT NULL, reserved bigint NOT NULL);
INSERT INTO hot_row VALUES ('SKU-0', 1000000000, 0)
"""
TAKEN = "SELECT reserved FROM hot_row"
HOT_ROW = """
UPDATE hot_row SET available = available - 1, reserved = reserved + 1
WHERE sku = 'SKU-0' AND available >= 1;
"""


@dataclass
class Buyer:
    """One kept connection on which one checkout follows the other."""

    number: int
    skus: int
    until_s: float
    took_s: list[float] = field(default_factory=list)

    async def buy(self, host: str, port: int) -> None:
        reader, writer = await asyncio.open_connection(host, port)
        try:
            while time.monotonic() < self.until_s:
                began_s = time.monotonic()
                writer.write(self.request())
                if await answered(reader) == b"201":
                    self.took_s.append(time.monotonic() - began_s)
        finally:
            writer.close()

    def request(self) -> bytes:
        key = uuid.uuid4().hex
        sku = f"SKU-{int(key, 16) % self.skus}"
        wish = {
            "client_ref": key,
            "customer": f"buyer-{key}",
            "campaign_id": "sale",
            "lines": [{"sku": sku, "qty": 1}],
        }
        body = json.dumps(wish).encode()
        head = (
            f"POST /v1/checkouts HTTP/1.1\r\nHost: shop\r\nIdempotency-Key: {key}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body


async def answered(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    length = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
    assert length is not None, head
    await reader.readexactly(int(length[1]))
    return head.split(b" ", 2)[1]


def open_sale(topology: Topology, skus: int) -> None:
    setup = {
        "starts_at": (datetime.now(UTC) - timedelta(minutes=1)).isoformat(),
        "items": [{"sku": f"SKU-{n}", "stock": STOCK // skus, "price": 9900} for n in range(skus)],
    }
    answer = httpx.put(
        f"{topology.shop_direct_url}/ops/sale",
        json=setup,
        headers={"Authorization": f"Bearer {topology.ops_token}"},
        timeout=30,
        trust_env=False,
    )
    answer.raise_for_status()


def cpu_s(topology: Topology) -> dict[str, float]:
    """Return the processor time that each component has used, and this process as `client`."""
    used = {"client": time.process_time()}
    for name, component in topology.components.items():
        times = [psutil.Process(pid).cpu_times() for pid in component.pids()]
        used[name] = sum(t.user + t.system for t in times)
    return used


def checkouts(topology: Topology, *, skus: int) -> dict[str, Any]:
    """Return checkouts a second, their latencies and what each cost, by component."""
    open_sale(topology, skus)
    address = httpx.URL(topology.shop_direct_url)
    assert address.port is not None

    async def crowd(port: int) -> list[Buyer]:
        until_s = time.monotonic() + LOAD_S
        buyers = [Buyer(n, skus, until_s) for n in range(BUYERS)]
        await asyncio.gather(*(buyer.buy(address.host, port) for buyer in buyers))
        return buyers

    before = cpu_s(topology)
    took_s = sorted(s for buyer in asyncio.run(crowd(address.port)) for s in buyer.took_s)
    after = cpu_s(topology)
    return {
        "checkouts_per_s": len(took_s) / LOAD_S,
        "p50_ms": statistics.median(took_s) * 1000,
        "p99_ms": took_s[int(len(took_s) * 0.99)] * 1000,
        "cpu_ms_per_checkout": {
            name: round((used - before[name]) * 1000 / len(took_s), 3)
            for name, used in after.items()
        },
    }


def ceiling(topology: Topology, folder: Path) -> float:
    """Return how many such updates a second pgbench gets out of one row that does not run out."""
    script = folder / "hot_row.sql"
    script.write_text(HOT_ROW)
    dsn = re.sub(r"/[^/]*$", "/shop", topology.database[0].direct_dsn)
    asyncio.run(in_database(dsn, lambda connection: connection.execute(HOT_ROW_TABLE)))
    command = (str(wheel_install() / "bin" / "pgbench"), "--no-vacuum", f"--client={BUYERS}")
    done = subprocess.run(
        (*command, f"--time={CEILING_S}", "--protocol=prepared", f"--file={script}", dsn),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    found = re.search(r"processed: (\d+)[^$]*tps = ([\d.]+)", done.stdout)
    assert found is not None, done.stdout
    taken = asyncio.run(in_database(dsn, lambda connection: connection.fetchval(TAKEN)))
    assert taken == int(found[1]), f"{found[1]} updates took {taken} units"
    return float(found[2])


async def in_database(
    dsn: str, act: Callable[[asyncpg.Connection], Coroutine[Any, Any, Any]]
) -> Any:
    connection = await asyncpg.connect(dsn, timeout=10)
    try:
        return await act(connection)
    finally:
        await connection.close()


@contextmanager
def shop(strategy: str, replication: Any, folder: Path) -> Iterator[Topology]:
    choice = choose_proxy("auto", environ={}, which=lambda _: None)
    order = StackOrder(
        run_id=f"bench{uuid.uuid4().hex[:8]}",
        logs=folder,
        open_api=ToxiproxyApi,
        reservation=strategy,
        replication=replication,
        redis=strategy == "redis_gate",
    )
    with embedded(order, own_or_shared(choice)) as topology:
        yield topology


def run(folder: Path, strategies: Sequence[str]) -> list[dict[str, Any]]:
    rows = []
    for replication in REPLICATIONS:
        for strategy in strategies:
            with shop(strategy, replication, folder) as topology:
                row: dict[str, Any] = {"strategy": strategy, "replication": replication}
                row["one_sku"] = checkouts(topology, skus=1)
                row["fifty_skus"] = checkouts(topology, skus=50)
                row["hot_row_ceiling_tps"] = ceiling(topology, folder)
            rows.append(row)
            sys.stdout.write(line(row))
            sys.stdout.flush()
    return rows


def line(row: dict[str, Any]) -> str:
    one, fifty, most = row["one_sku"], row["fifty_skus"], row["hot_row_ceiling_tps"]
    costs = ", ".join(
        f"{name} {ms:.2f} ms" for name, ms in one["cpu_ms_per_checkout"].items() if ms >= 0.01
    )
    return (
        f"{row['replication']:13} {row['strategy']:19}"
        f" one SKU {one['checkouts_per_s']:5.0f}/s p99 {one['p99_ms']:5.0f} ms"
        f"  fifty {fifty['checkouts_per_s']:5.0f}/s p99 {fifty['p99_ms']:5.0f} ms"
        f"  hot row {most:6.0f}/s, share {one['checkouts_per_s'] / most:4.0%}\n"
        f"{'':13} CPU of one checkout: {costs}\n"
    )


def chosen() -> list[str]:
    parser = argparse.ArgumentParser(description="Checkouts a second beside one hot row.")
    parser.add_argument("strategies", nargs="*", metavar="STRATEGY", help=", ".join(STRATEGIES))
    strategies: list[str] = parser.parse_args().strategies
    for strategy in strategies:
        if strategy not in STRATEGIES:
            parser.error(f"STRATEGY {strategy}: expected any of {', '.join(STRATEGIES)}")
    return strategies


def main() -> None:
    strategies = chosen()
    with tempfile.TemporaryDirectory(prefix="doorbuster-bench-") as folder:
        rows = run(Path(folder), strategies or STRATEGIES)
    if strategies:
        return
    results = ROOT / "benchmarks" / "results" / "storefront.json"
    results.parent.mkdir(exist_ok=True)
    machine = {
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "load_average_1min": os.getloadavg()[0],
    }
    results.write_text(json.dumps({"machine": machine, "rows": rows}, indent=2) + "\n")


if __name__ == "__main__":
    main()
