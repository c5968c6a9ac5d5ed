"""Ports and limits of this machine: what is free stays free, and what is missing is said."""

import resource
import secrets
import socket
from pathlib import Path

import pytest

from doorbuster.errors import MissingPrerequisite
from doorbuster.open_files import raise_open_files
from doorbuster.stack import ports

pytestmark = pytest.mark.integration


def shared_listener(port: int) -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    listener.bind((ports.LOOPBACK, port))
    listener.listen()
    return listener


def test_free_ports_are_distinct_and_below_those_of_outgoing_connections() -> None:
    found = ports.free_ports(20)
    assert len(set(found)) == 20
    assert max(found) < ports.ephemeral_lowest()


def test_a_taken_port_is_never_offered(monkeypatch: pytest.MonkeyPatch) -> None:
    taken, free = ports.free_ports(2)
    drawn = iter([taken, taken, free])
    with socket.create_server((ports.LOOPBACK, taken)):
        monkeypatch.setattr(secrets, "choice", lambda _: next(drawn))
        assert ports.free_ports(1) == [free]


@pytest.mark.parametrize(
    ("lowest", "highest_chosen"), [(32_768, 32_767), (11_000, 10_999), (1_024, 65_535)]
)
def test_the_range_of_outgoing_connections_is_left_out_if_it_leaves_enough(
    lowest: int, highest_chosen: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    setting = tmp_path / "ip_local_port_range"
    setting.write_text(f"{lowest}\t60999\n")
    monkeypatch.setattr(ports, "EPHEMERAL_RANGE", setting)
    assert ports.ports_to_choose_from() == range(10_000, highest_chosen + 1)


def test_no_free_port_is_said_in_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "is_free", lambda _: False)
    with pytest.raises(MissingPrerequisite, match=r"no 3 free ports from .*: end what"):
        ports.free_ports(3)


def test_a_held_port_is_for_replicas_only() -> None:
    (port,) = ports.free_ports(1)
    with ports.held(port):
        assert not ports.is_free(port)
        with (
            shared_listener(port),
            shared_listener(port),
            socket.create_connection((ports.LOOPBACK, port), timeout=5),
        ):
            pass
    assert ports.is_free(port)


def test_a_held_port_takes_no_connection_itself() -> None:
    (port,) = ports.free_ports(1)
    with ports.held(port), pytest.raises(ConnectionRefusedError):
        socket.create_connection((ports.LOOPBACK, port), timeout=5)


def test_holding_a_taken_port_says_which() -> None:
    (port,) = ports.free_ports(1)
    with (
        socket.create_server((ports.LOOPBACK, port)),
        pytest.raises(MissingPrerequisite, match=f"port {port} is taken .*: free it"),
        ports.held(port),
    ):
        pass


def test_the_file_limit_is_raised_to_the_hard_one() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (before[1] - 1, before[1]))
    try:
        ports.raise_file_limit()
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (before[1], before[1])
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_macos_is_not_asked_for_files_without_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    limits = [(256, resource.RLIM_INFINITY), (20_000, resource.RLIM_INFINITY)]
    asked: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: limits[len(asked)])
    monkeypatch.setattr(resource, "setrlimit", lambda _, limit: asked.append(limit))
    for _ in limits:
        raise_open_files()
    assert asked == [(10_240, resource.RLIM_INFINITY), (20_000, resource.RLIM_INFINITY)]


def test_a_low_hard_limit_is_said_in_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (256, 1024))
    with pytest.raises(MissingPrerequisite, match=r"only 1024 open files .* needs 4096: raise"):
        ports.raise_file_limit()
