"""The shop's back office over HTTP: opening the sale, asking whether it rests, reading the books.

It goes past the proxy, so no fault of the rehearsal stands between the shop and its final read.
"""

import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Final, Self

import httpx
import msgspec

from doorbuster.clock import Clock
from doorbuster.components import Topology
from doorbuster.errors import TargetNotReady
from doorbuster.ledger import LEDGER_TABLES, PROVIDER_TABLES
from doorbuster.plan import Plan
from doorbuster.plan.sale import Item
from doorbuster.run import ReadFailed
from doorbuster.rundir import RunDirectory

TIMEOUT_S: Final = 5.0
READ_ATTEMPTS: Final = 5
READ_PAUSE_S: Final = 1.0
ROWS_AT_ONCE: Final = 1000


def terms_of(plan: Plan) -> Iterator[tuple[Item, dict[str, int]]]:
    """Return on what terms each item sells; what a plan leaves open stays out."""
    for item in plan.sale.items:
        terms = {
            "stock": item.stock,
            "price": item.price,
            "limit_per_user": item.limit_per_user,
            "low_stock_at": item.low_stock_at,
        }
        yield item, {name: value for name, value in terms.items() if value is not None}


def bearer(token: str) -> dict[str, str]:
    """Return the header that carries a token, none without one."""
    return {"Authorization": f"Bearer {token}"} if token else {}


class BackOffice:
    """The reference shop's ops endpoints and the payment simulator's book.

    `trust` says whose certificates to take, where it is spoken to over TLS.
    `transport` and `sleep` are for tests: what answers, and what waits between two readings.
    """

    def __init__(
        self,
        topology: Topology,
        run: RunDirectory,
        *,
        trust: ssl.SSLContext | None = None,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.on_rows: Callable[[], object] = lambda: None
        """Called before each try to read a book and every thousand rows: that may take long."""
        self._sleep = sleep
        self._run = run
        self._provider_url = topology.provider_direct_url
        self._client = httpx.Client(
            base_url=topology.shop_direct_url,
            headers=bearer(topology.ops_token),
            timeout=TIMEOUT_S,
            trust_env=False,
            verify=trust or True,
            transport=transport,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def open_sale(self, plan: Plan, clock: Clock) -> None:
        """Empty the shop and set stock and the sale's hours."""
        closes_s = plan.closes_s
        sale = {
            "starts_at": clock.wall(plan.opens_s).isoformat(),
            "ends_at": None if closes_s is None else clock.wall(closes_s).isoformat(),
            "items": [{"sku": sku, **terms} for item, terms in terms_of(plan) for sku in item.skus],
            "promotions": [
                {"kind": "early_access", "id": f"early-{tier}", "tier": tier, "lead_s": int(lead_s)}
                for tier, lead_s in plan.sale.early_access.items()
            ],
        }
        try:
            answer = self._client.put("/ops/sale", json=sale)
        except httpx.HTTPError as error:
            raise TargetNotReady(f"the shop did not take the sale: {error!r}") from error
        if answer.status_code != httpx.codes.OK:
            raise TargetNotReady(
                f"the shop did not take the sale: {answer.status_code} {answer.text[:300]}"
            )

    def is_quiet(self) -> bool:
        """Tell whether no payment is in flight and no hold is left; False if it does not answer."""
        try:
            answer = self._client.get("/ops/quiescence")
        except httpx.HTTPError:
            return False
        return answer.status_code == httpx.codes.OK and bool(answer.json()["quiet"])

    def read_ledger(self) -> int:
        """Copy the shop's books, one consistent snapshot, into `ledger/`; return the rows."""
        return self._read("/ops/ledger", self._run.ledger, LEDGER_TABLES)

    def read_provider(self) -> int:
        """Copy the provider's book into `provider/`; return the rows."""
        url = f"{self._provider_url}/psp/book"
        return self._read(url, self._run.provider, PROVIDER_TABLES)

    def _read(self, url: str, folder: Path, tables: Mapping[str, object]) -> int:
        """Read a book, again if it breaks off: only a complete one counts."""
        problem: Exception | None = None
        for attempt in range(READ_ATTEMPTS):
            self.on_rows()
            if attempt:
                self._sleep(READ_PAUSE_S)
            try:
                return self._copy(url, folder, tables)
            except (httpx.HTTPError, msgspec.DecodeError, ReadFailed) as error:
                problem = error
        raise ReadFailed(f"{url}: {problem!r}")

    def _copy(self, url: str, folder: Path, tables: Mapping[str, object]) -> int:
        rows, ended = 0, False
        with ExitStack() as held:
            files = {
                table: held.enter_context((folder / f"{table}.ndjson.partial").open("wb"))
                for table in tables
            }
            answer = held.enter_context(self._client.stream("GET", url))
            if answer.status_code != httpx.codes.OK:
                raise ReadFailed(f"answered {answer.status_code}")
            for line in answer.iter_lines():
                row = msgspec.json.decode(line)
                table = row.pop("table")
                if table == "end":
                    ended = row["rows"] == rows
                    break
                if table not in files:
                    raise ReadFailed(f"has rows of an unknown table {table!r}")
                files[table].write(msgspec.json.encode(row) + b"\n")
                rows += 1
                if rows % ROWS_AT_ONCE == 0:
                    self.on_rows()
        if not ended:
            raise ReadFailed(f"broke off after {rows} rows")
        for table in tables:
            (folder / f"{table}.ndjson.partial").replace(folder / f"{table}.ndjson")
        return rows
