"""Two Postgres servers on this machine: a primary and its streaming standby."""

import asyncio
import os
import secrets
import signal
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Protocol

import asyncpg

from doorbuster import leftovers
from doorbuster.stack.component import LocalComponent
from doorbuster.stack.ports import LOOPBACK
from doorbuster.stack.process import Account, Place, Program, run_to_end
from doorbuster.stack.ready import wait_until_ready

PRIMARY, STANDBY = "postgres-a", "postgres-b"
SUPERUSER, SHOP = "postgres", "shop"
PREPARE_BOUND_S = 60.0
QUERY_BOUND_S = 3.0

SETTINGS = f"""
listen_addresses = '{LOOPBACK}'
unix_socket_directories = ''
dynamic_shared_memory_type = mmap
max_connections = 300
shared_buffers = 64MB
wal_level = replica
hot_standby = on
wal_keep_size = 256MB
# A standby that lost its connection is back within a moment of the connection's healing.
wal_retrieve_retry_interval = 200ms
# A killed process loses nothing without fsync: what it wrote is in the kernel's page cache, and
# only a crash of this whole machine, which ends the rehearsal anyway, forgets that. What a commit
# waits for in the standby stays as it is. full_page_writes stays on, since SIGKILL can stop a
# write between the two halves of a page.
fsync = off
synchronous_commit = on
jit = off
timezone = UTC
log_line_prefix = '%m [%p] '
log_checkpoints = off
"""


@dataclass(frozen=True)
class Cluster:
    """What both servers have in common: programs, user, passwords, and where they listen."""

    place: Place
    programs: Path
    account: Account | None
    ports: dict[str, int]
    superuser_password: str = field(default_factory=lambda: secrets.token_hex(16))
    shop_password: str = field(default_factory=lambda: secrets.token_hex(16))

    def dsn(self, node: str, *, database: str = SHOP) -> str:
        """Return how the harness reaches a node: past the proxy, as superuser."""
        login = f"{SUPERUSER}:{self.superuser_password}"
        return f"postgresql://{login}@{LOOPBACK}:{self.ports[node]}/{database}"

    def shop_dsn(self, *, proxy_port: int) -> str:
        """Return how the shop reaches a node: through its proxy, as the owner of its database."""
        return f"postgresql://{SHOP}:{self.shop_password}@{LOOPBACK}:{proxy_port}/{SHOP}"

    def home(self, node: str) -> Path:
        return self.place.home_of(node, account=self.account)

    def data(self, node: str) -> Path:
        return self.home(node) / "data"

    def password_file(self, node: str) -> Path:
        """Write the superuser's password where only the servers' user may read it."""
        path = self.home(node) / "password"
        path.touch(mode=0o600)
        if self.account is not None:
            os.chown(path, self.account.uid, self.account.gid)
        path.write_text(self.superuser_password)
        return path

    def program(self, node: str, *command: str) -> Program:
        """Return one of Postgres' programs, run for `node` as the right user.

        SIGQUIT ends a server without a last checkpoint, which nobody will read; SIGINT with one.
        """
        return Program(
            component=node,
            command=(str(self.programs / command[0]), *command[1:]),
            home=self.home(node),
            log=self.place.logs / f"{node}.log",
            environment={"PGPASSWORD": self.superuser_password},
            account=self.account,
            end_signal=signal.SIGQUIT,
            stop_signal=signal.SIGINT,
        )

    def run(self, node: str, *command: str) -> None:
        program = self.program(node, *command)
        run_to_end(program, run_id=self.place.run_id, bound_s=PREPARE_BOUND_S)

    def server(self, node: str) -> LocalComponent:
        port = self.ports[node]
        return LocalComponent(
            self.program(node, "postgres", "-D", str(self.data(node)), "-p", str(port)),
            run_id=self.place.run_id,
            address=f"{LOOPBACK}:{port}",
            ready=lambda _: objection(self.dsn(node, database=SUPERUSER), "SELECT true"),
            after_kill=partial(leftovers.forget_crash, self.data(node) / "postmaster.pid"),
        )


def create_primary(cluster: Cluster) -> LocalComponent:
    """Return the primary, not yet started, with an empty cluster under it."""
    data, password_file = cluster.data(PRIMARY), cluster.password_file(PRIMARY)
    cluster.run(
        PRIMARY,
        "initdb",
        *("-D", str(data), "-U", SUPERUSER, "--pwfile", str(password_file)),
        *("--auth=scram-sha-256", "--no-sync", "--no-instructions", "-E", "UTF8", "--locale=C"),
        *("--set", "dynamic_shared_memory_type=mmap"),
    )
    with (data / "postgresql.conf").open("a") as settings:
        settings.write(SETTINGS)
    password_file.unlink()
    return cluster.server(PRIMARY)


class Reachable(Protocol):
    """A pair of servers that can be asked, whatever stack it is part of."""

    @property
    def shop_password(self) -> str:
        """What the shop's own user logs in with."""

    def dsn(self, node: str, *, database: str = ...) -> str:
        """Return how to reach a node past the proxy, as the superuser."""


class Standby(Protocol):
    """A standby that is being waited for."""

    @property
    def logs(self) -> Path:
        """The file that its output goes to."""

    def is_up(self) -> bool:
        """Say whether it runs."""


def create_shop_database(cluster: Reachable) -> None:
    """Give the shop a database that it owns, as a user with no power over the server.

    It may look at the server's statistics: how far the standby is behind is one of its metrics.
    """
    dsn = cluster.dsn(PRIMARY, database=SUPERUSER)
    ask(dsn, f"CREATE ROLE {SHOP} LOGIN PASSWORD '{cluster.shop_password}'")
    ask(dsn, f"GRANT pg_monitor TO {SHOP}")
    ask(dsn, f"CREATE DATABASE {SHOP} OWNER {SHOP}")


def create_standby(cluster: Cluster, *, replication_port: int) -> LocalComponent:
    """Return the standby, not yet started: a copy of the primary that follows through the proxy."""
    copy(cluster, STANDBY, of=PRIMARY, replication_port=replication_port)
    return cluster.server(STANDBY)


def copy(cluster: Cluster, node: str, *, of: str, replication_port: int) -> None:
    """Fill a node's folder with a copy of another one, which it is to follow as its standby."""
    base_backup(cluster, node, "-R", of=of, to=cluster.data(node))
    proxied = (
        f"host={LOOPBACK} port={replication_port} user={SUPERUSER} "
        f"password={cluster.superuser_password} application_name={node}"
    )
    # The backup itself went past the proxy, and its own way is what -R noted; the last line wins.
    with (cluster.data(node) / "postgresql.auto.conf").open("a") as settings:
        settings.write(f"primary_conninfo = '{proxied}'\n")


def base_backup(cluster: Cluster, node: str, *words: str, of: str, to: Path) -> None:
    """Have `node` back another one up, past the proxy."""
    direct = f"host={LOOPBACK} port={cluster.ports[of]} user={SUPERUSER}"
    cluster.run(
        node,
        "pg_basebackup",
        *("-D", str(to), *words, "-X", "stream", "-d", direct),
        *("--checkpoint=fast", "--no-sync", "--no-manifest"),
    )


def begin_replication(cluster: Reachable, standby: Standby, *, synchronous: bool) -> None:
    """Wait until the standby streams; then, if `synchronous`, let commits wait for it.

    Not earlier, since every commit hangs while the standby they wait for is not there. It is set
    on the primary alone: a promoted standby must not wait for itself.
    """
    dsn = cluster.dsn(PRIMARY)
    await_standby(dsn, standby, "state = 'streaming'")
    if synchronous:
        ask(dsn, f"ALTER SYSTEM SET synchronous_standby_names = '\"{STANDBY}\"'")
        ask(dsn, "SELECT pg_reload_conf()")
        await_standby(dsn, standby, "sync_state = 'sync'")


def await_standby(dsn: str, standby: Standby, condition: str) -> None:
    question = (
        f"SELECT EXISTS (SELECT FROM pg_stat_replication "
        f"WHERE application_name = '{STANDBY}' AND {condition})"
    )
    wait_until_ready(
        partial(objection, dsn, question),
        what=f"replication to {STANDBY}",
        log=standby.logs,
        alive=standby.is_up,
    )


def objection(dsn: str, question: str) -> str:
    """Return "" when the server answers `question` with true, else what it said instead."""
    try:
        answer = ask(dsn, question)
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        return f"{type(error).__name__}: {error}"
    return "" if answer is True else f"{question} is {answer}"


def ask(dsn: str, statement: str) -> object:
    """Run one statement on a connection of its own and return its first value."""

    async def once() -> object:
        connection = await asyncpg.connect(dsn, timeout=QUERY_BOUND_S, ssl=False)
        try:
            return await connection.fetchval(statement, timeout=PREPARE_BOUND_S)
        finally:
            await connection.close(timeout=QUERY_BOUND_S)

    return asyncio.run(once())
