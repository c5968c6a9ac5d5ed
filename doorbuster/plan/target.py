"""A shop that runs elsewhere: where it is, who may be contacted, and what it offers as evidence."""

import ipaddress
import re
from collections.abc import Collection
from pathlib import Path
from typing import Annotated, Final, Self
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, Field, ValidationInfo, model_validator

from doorbuster.faults import Fault, Frozen
from doorbuster.ledger import LEDGER_TABLES, PROVIDER_TABLES
from doorbuster.quantities import Duration

LOOPBACK_HOSTS: Final = ("127.0.0.1", "localhost", "::1")

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


def _origin(text: str) -> str:
    url = urlsplit(_url(text))
    if url.path.strip("/") or url.query:
        raise ValueError("expected http://HOST, https://HOST or with :PORT, and no path")
    return text.rstrip("/")


def _url(text: str) -> str:
    """Insist on a URL that leads somewhere."""
    url = urlsplit(text)
    if url.scheme not in _DEFAULT_PORTS or not url.hostname:
        raise ValueError("expected http://HOST or https://HOST, with :PORT where it is another")
    try:
        port = url.port
    except ValueError as error:
        raise ValueError(f"{error}; expected a number") from None
    if port == 0:
        raise ValueError("port 0: expected the port that it listens on")
    return text


def _pattern(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"expected a regular expression: {error}") from None
    return text


def beside_plan(name: str, info: ValidationInfo) -> str:
    """Return a path that a plan names, which is relative to the folder of its file."""
    folder: Path = (info.context or {}).get("folder", Path())
    return str(folder / name)


def _shop_name(name: str, info: ValidationInfo) -> str:
    path, _, class_name = name.rpartition(":")
    in_python = path.endswith(".py") and class_name.isidentifier()
    if name != "reference" and not name.endswith((".yaml", ".yml")) and not in_python:
        raise ValueError(
            "expected `reference`, the path of an adapter file in YAML, or PATH.py:CLASS"
        )
    return name if name == "reference" else beside_plan(name, info)


ShopName = Annotated[str, AfterValidator(_shop_name)]
"""The shop to drive: the reference one, or how to speak to another."""

REACHABLE: Final = "edge"


def require_reach(fault: Fault) -> None:
    """Refuse a fault on what is not ours: of a shop elsewhere we have the way to it only."""
    if fault.on != REACHABLE and fault.hooks is None:
        raise ValueError(
            f"fault {fault.name!r} is on {fault.on}, which is out of reach in a shop that runs "
            f"elsewhere: expected `on: {REACHABLE}`, the connection of its shoppers, or `hooks`"
        )


Variable = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
"""The name of an environment variable."""


class Marker(Frozen):
    """What the target answers and production would not.

    Args:
        path: What is asked for.
        header: The header of the answer to look into; without it, its text.
        matches: The pattern that has to be found there.
    """

    path: Annotated[str, Field(pattern=r"^/\S*$")]
    header: Annotated[str, Field(pattern=r"^[A-Za-z0-9-]+$")] | None = None
    matches: Annotated[str, AfterValidator(_pattern)]


class Book(Frozen):
    """Where a final record is read: NDJSON at a URL, files named after their tables, or by SQL.

    Args:
        url: Answers with a line for each row, its `table` among its fields, and a last line
            `{"table": "end", "rows": N}`.
        folder: Holds `orders.ndjson` and the like by the end of the run.
        dsn_env: The environment variable that has the address of a Postgres database, such as
            `postgresql://reader:secret@db.staging.example/shop`; its host is on the allow-list.
        queries: With `dsn_env`: for each table the query that answers its rows.
        token_env: With `url`: the environment variable whose value is sent as a bearer token.
    """

    url: Annotated[str, AfterValidator(_url)] | None = None
    folder: Annotated[str, AfterValidator(beside_plan)] | None = None
    dsn_env: Variable | None = None
    queries: dict[str, Annotated[str, Field(min_length=1)]] = Field({})
    token_env: Variable | None = None

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if sum(place is not None for place in (self.url, self.folder, self.dsn_env)) != 1:
            raise ValueError("expected either `url` or `folder` or `dsn_env`")
        if self.url is None and self.token_env is not None:
            raise ValueError("`token_env` goes with `url`")
        if (self.dsn_env is None) != (not self.queries):
            raise ValueError("`dsn_env` and `queries` go together")
        return self

    def require_tables(self, tables: Collection[str]) -> None:
        """Refuse a query of what is no table of this book, and a book without its first table."""
        first = next(iter(tables))
        for table in self.queries:
            if table not in tables:
                raise ValueError(
                    f"a query for {table!r}: expected one of the tables {', '.join(tables)}"
                )
        if self.queries and first not in self.queries:
            raise ValueError(f"expected a query for {first!r} among `queries`")


class Target(Frozen):
    """The shop of `stack: external`.

    Args:
        base_url: Where shoppers go.
        allow_hosts: The only hosts that are contacted; by default this machine's.
        marker: Needed unless the target is this machine: it must be seen before the run starts.
        settle: How long the shop gets to come to rest before its books are read.
        ledger: The shop's own final record; without it nobody can say what it really sold.
        provider: The payment provider's final record.
    """

    base_url: Annotated[str, AfterValidator(_origin)]
    allow_hosts: tuple[str, ...] = LOOPBACK_HOSTS
    marker: Marker | None = None
    settle: Duration = 5.0
    ledger: Book | None = None
    provider: Book | None = None

    @model_validator(mode="after")
    def _stays_on_the_list(self) -> Self:
        allowed = {host.lower() for host in self.allow_hosts}
        books = [book for book in (self.ledger, self.provider) if book and book.url]
        for url in (self.base_url, *(str(book.url) for book in books)):
            host = urlsplit(url).hostname or ""
            if host.lower() not in allowed:
                raise ValueError(
                    f"host {host!r} is not in `allow_hosts`, which has {', '.join(sorted(allowed))}"
                )
        if self.marker is None and not self.is_local:
            raise ValueError(
                f"{self.host} is not this machine: expected a `marker` that production would not "
                "answer, such as {path: /healthz, header: X-Environment, matches: staging}"
            )
        return self

    @model_validator(mode="after")
    def _known_tables(self) -> Self:
        for book, tables in ((self.ledger, LEDGER_TABLES), (self.provider, PROVIDER_TABLES)):
            if book is not None:
                book.require_tables(tables)
        return self

    @property
    def url(self) -> SplitResult:
        return urlsplit(self.base_url)

    @property
    def host(self) -> str:
        return self.url.hostname or ""

    @property
    def port(self) -> int:
        return self.url.port or _DEFAULT_PORTS[self.url.scheme]

    @property
    def is_local(self) -> bool:
        """Whether the host is this machine by its very name."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False
