"""Free ports on loopback that stay ours, and the limits that sockets need."""

import resource
import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from doorbuster.errors import MissingPrerequisite
from doorbuster.open_files import raise_open_files

LOOPBACK = "127.0.0.1"
FILES_MIN = 4096
ATTEMPTS_MAX = 200
LOWEST_PORT = 10_000
ENOUGH_PORTS = 1_000
EPHEMERAL_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")


def free_ports(count: int) -> list[int]:
    """Return ports that nobody listens on and that no outgoing connection will be given.

    A port that the kernel hands out (bind to 0) lies in the range of outgoing connections: while
    a component is down, one of the crowd's connections can take it, and the restart then fails.
    """
    candidates = ports_to_choose_from()
    found: list[int] = []
    for _ in range(ATTEMPTS_MAX):
        if len(found) == count:
            return found
        candidate = secrets.choice(candidates)
        if candidate not in found and is_free(candidate):
            found.append(candidate)
    raise MissingPrerequisite(
        f"no {count} free ports from {candidates[0]} to {candidates[-1]} on {LOOPBACK}: "
        f"end what listens there"
    )


def ports_to_choose_from() -> range:
    """Return the ports below those of outgoing connections, or all where too few are left."""
    below = range(LOWEST_PORT, ephemeral_lowest())
    return below if len(below) >= ENOUGH_PORTS else range(LOWEST_PORT, 65_536)


def ephemeral_lowest() -> int:
    """Return the first port of outgoing connections; 32768 where the system does not say."""
    if not EPHEMERAL_RANGE.exists():
        return 32_768
    return int(EPHEMERAL_RANGE.read_text().split()[0])


def is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


@contextmanager
def held(port: int) -> Iterator[None]:
    """Keep a port that several replicas share while none of them is up.

    Bound with SO_REUSEPORT but never listening, so it takes no connection away from them.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        try:
            holder.bind((LOOPBACK, port))
        except OSError as error:
            raise MissingPrerequisite(f"port {port} is taken ({error.strerror}): free it") from None
        yield


def require_loopback() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        try:
            probe.bind((LOOPBACK, 0))
        except OSError as error:
            raise MissingPrerequisite(
                f"cannot listen on {LOOPBACK} ({error.strerror}): bring the loopback device up"
            ) from None


def raise_file_limit() -> None:
    """Raise the soft limit of open files to the hard one; children inherit it."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < FILES_MIN:
        raise MissingPrerequisite(
            f"only {hard} open files are allowed here and a rehearsal needs {FILES_MIN}: "
            f"raise the hard limit (ulimit -Hn)"
        )
    raise_open_files()
