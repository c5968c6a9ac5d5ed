"""A throw-away Postgres for the shop's tests, and an empty database in it for each test."""

import asyncio
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import asyncpg
import pytest

from doorbuster.stack.binaries import copied, wheel_install

SETTINGS = """
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
dynamic_shared_memory_type = mmap
fsync = off
max_connections = 200
"""
READY_BOUND_S = 20.0

WAITING = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND wait_event_type = 'Lock'
"""
"""How many sessions wait for a lock."""


@dataclass(frozen=True)
class Server:
    """A running Postgres."""

    port: int
    process: subprocess.Popen[bytes]

    def dsn(self, database: str = "postgres") -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"


@pytest.fixture(scope="module")
def postgres() -> Iterator[Server]:
    with postgres_server() as server:
        yield server


@pytest.fixture
def shop_dsn(postgres: Server) -> Iterator[str]:
    with fresh_database(postgres) as dsn:
        yield dsn


@contextmanager
def postgres_server(*, standby: bool = False) -> Iterator[Server]:
    """Run Postgres in a folder of its own, as nobody when we are root, and remove all traces.

    A `standby` follows nobody; it only refuses to write.
    """
    folder = Path(tempfile.mkdtemp(prefix="doorbuster-shop-test-"))
    try:
        folder.chmod(0o755)
        programs = copied(wheel_install(), folder / "postgres") / "bin"
        owner = _owner(folder)
        initdb = (programs / "initdb", "--no-sync", "-D", folder / "data")
        _run(*initdb, "-U", "postgres", "-A", "trust", **owner)
        with (folder / "data" / "postgresql.conf").open("a") as settings:
            settings.write(SETTINGS)
        if standby:
            (folder / "data" / "standby.signal").touch()
        port = _free_port()
        process = subprocess.Popen(
            [programs / "postgres", "-D", folder / "data", "-p", str(port)],
            cwd=folder / "home",
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            **owner,
        )
        try:
            server = Server(port, process)
            _wait_until_ready(server)
            yield server
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(20)
    finally:
        shutil.rmtree(folder)


_names = count(1)


@contextmanager
def fresh_database(server: Server) -> Iterator[str]:
    name = f"shop_{next(_names)}"
    _execute(server.dsn(), f"CREATE DATABASE {name}")
    try:
        yield server.dsn(name)
    finally:
        _execute(server.dsn(), f"DROP DATABASE {name} WITH (FORCE)")


def _owner(folder: Path) -> dict[str, int]:
    home = folder / "home"
    home.mkdir()
    (folder / "data").mkdir(mode=0o700)
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    for path in (home, folder / "data"):
        os.chown(path, nobody.pw_uid, nobody.pw_gid)
    return {"user": nobody.pw_uid, "group": nobody.pw_gid}


def _run(*command: object, **owner: int) -> None:
    words = [str(word) for word in command]
    subprocess.run(words, check=True, capture_output=True, cwd="/", **owner)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_until_ready(server: Server) -> None:
    deadline = time.monotonic() + READY_BOUND_S
    while True:
        with suppress(OSError, asyncpg.PostgresError):
            return _execute(server.dsn(), "SELECT 1")
        if time.monotonic() > deadline or server.process.poll() is not None:
            raise RuntimeError(f"Postgres on port {server.port} did not start")
        time.sleep(0.05)


def _execute(dsn: str, statement: str) -> None:
    async def once() -> None:
        connection = await asyncpg.connect(dsn, ssl=False, timeout=2)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    asyncio.run(once())
