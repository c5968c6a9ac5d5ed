"""Whether a storefront stays as it is: memory and database connections over 100,000 orders.

    .venv/bin/python -m benchmarks.soak_storefront [ORDERS]

Buyers on kept connections check out, the larger part on to the end of their holds, so that every
job of the shop has its share of the work. Each SAMPLE_EVERY orders the resident memory of the
storefront and the sessions that Postgres has open for the shop are noted. Flat means: after the
first tenth, in which caches and pools fill, the memory grows by less than GROWTH_MAX_SHARE.
The results go to `benchmarks/results/soak_storefront.json`.
"""

import asyncio
import json
import platform
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx
import psutil

from benchmarks.storefront import Buyer, open_sale, shop
from doorbuster.components import Topology
from doorbuster.stack.postgres import ask

RESULTS = Path(__file__).resolve().parent / "results" / "soak_storefront.json"
ORDERS = 100_000
SAMPLE_EVERY = 5_000
BUYERS = 16
SLICE_S = 2.0
GROWTH_MAX_SHARE = 0.10
STOREFRONT = "storefront-1"
SESSIONS = "SELECT count(*)::int FROM pg_stat_activity WHERE usename = 'shop'"


def sample(topology: Topology, orders: int) -> dict[str, Any]:
    pids = topology.components[STOREFRONT].pids()
    return {
        "orders": orders,
        "rss_mb": round(sum(psutil.Process(pid).memory_info().rss for pid in pids) / 1e6, 1),
        "postgres_sessions": ask(topology.database[0].direct_dsn, SESSIONS),
    }


async def bought(topology: Topology) -> int:
    """Let the buyers buy for a while; return how many orders that made."""
    address = httpx.URL(topology.shop_direct_url)
    assert address.port is not None
    until_s = time.monotonic() + SLICE_S
    buyers = [Buyer(n, 50, until_s) for n in range(BUYERS)]
    await asyncio.gather(*(buyer.buy(address.host, address.port) for buyer in buyers))
    return sum(len(buyer.took_s) for buyer in buyers)


def soak(topology: Topology, wanted: int) -> list[dict[str, Any]]:
    """Return the samples; what is sold out in between goes on sale again in a new sale."""
    samples, orders = [sample(topology, 0)], 0
    open_sale(topology, 50)
    while orders < wanted:
        made = asyncio.run(bought(topology))
        if not made:
            open_sale(topology, 50)
        orders += made
        if orders - samples[-1]["orders"] >= min(SAMPLE_EVERY, wanted / 10) or orders >= wanted:
            samples.append(sample(topology, orders))
            sys.stdout.write(f"{json.dumps(samples[-1])}\n")
            sys.stdout.flush()
    return samples


def growth(samples: list[dict[str, Any]]) -> float:
    """Return by what share the memory grew between the first tenth and the end."""
    last = samples[-1]
    warm = next(each for each in samples if each["orders"] >= last["orders"] / 10)
    return float(last["rss_mb"] / warm["rss_mb"] - 1)


def main() -> None:
    wanted = int(sys.argv[1]) if len(sys.argv) > 1 else ORDERS
    with (
        tempfile.TemporaryDirectory(prefix="doorbuster-soak-") as folder,
        shop("conditional_update", "asynchronous", Path(folder)) as topology,
    ):
        samples = soak(topology, wanted)
    grown = growth(samples)
    result = {
        "python": platform.python_version(),
        "orders": samples[-1]["orders"],
        "memory_growth_share": round(grown, 4),
        "flat": grown < GROWTH_MAX_SHARE,
        "samples": samples,
    }
    if wanted >= ORDERS:
        RESULTS.write_text(json.dumps(result, indent=2) + "\n")
    sys.stdout.write(f"memory {grown:+.1%} after the first tenth\n")


if __name__ == "__main__":
    main()
