"""One case on both servers, and what may differ: the table in docs/proxy.md, and nothing else."""

import re
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from tests.proxy_servers import ProxyServer, Reply

DOCUMENT = Path(__file__).parents[2] / "docs" / "proxy.md"
PORT = re.compile(r"(?<=:)[0-9]{4,5}\b")
LOGGER = re.compile(r'"Logger":\{\},?')
WORDS = re.compile(r'(?<=bad request body: )(?:[^"\\]|\\.)+')


class Look:
    """What a case sees of one server, by label; ports are numbered, since each has its own."""

    def __init__(self) -> None:
        self.seen: dict[str, object] = {}
        self._ports: dict[str, str] = {}

    def __call__(self, label: str, value: object) -> None:
        assert label not in self.seen, f"{label} was looked at before"
        self.seen[label] = value

    def reply(self, label: str, reply: Reply) -> Reply:
        """Note an answer of the API; by labels of their own what is known to differ."""
        body = PORT.sub(self._numbered, reply.body)
        for part, pattern in (("logger", LOGGER), ("words", WORDS)):
            if found := pattern.findall(body):
                self(f"{label}.{part}", found[0])
                body = pattern.sub("", body)
        kind = reply.headers.get("Content-Type")
        known = "X-Toxiproxy-Request-Id" in reply.headers
        more = reply.headers.get("X-Content-Type-Options"), reply.headers.get("Location")
        self(label, (reply.status, kind, known, *more, body))
        return reply

    def _numbered(self, port: re.Match[str]) -> str:
        return self._ports.setdefault(port[0], f"port {len(self._ports) + 1}")


Case = Callable[[ProxyServer, Look], None]


@dataclass(frozen=True)
class Pair:
    """Both servers, ours first."""

    embedded: ProxyServer
    toxiproxy: ProxyServer

    def differences(self, case: Case) -> dict[str, tuple[object, object]]:
        """Run a case on both at the same time; return by label what was not the same."""
        with ThreadPoolExecutor(2) as threads:
            looks = list(threads.map(lambda server: look_at(server, case), self.both))
        ours, theirs = (look.seen for look in looks)
        assert ours, "the case looked at nothing"
        labels = [*ours, *(label for label in theirs if label not in ours)]
        absent = "not seen"
        pairs = {label: (ours.get(label, absent), theirs.get(label, absent)) for label in labels}
        return {label: pair for label, pair in pairs.items() if pair[0] != pair[1]}

    @property
    def both(self) -> tuple[ProxyServer, ProxyServer]:
        return self.embedded, self.toxiproxy


def look_at(server: ProxyServer, case: Case) -> Look:
    look = Look()
    try:
        case(server, look)
    finally:
        server.clear()
    return look


def documented() -> list[str]:
    """Return the `case: label` patterns of the table's last column."""
    rows = [line for line in DOCUMENT.read_text(encoding="utf-8").splitlines() if line[:1] == "|"]
    return [name for row in rows for name in re.findall(r"`(\w+: [^`]+)`", row.split("|")[-2])]


def judge(name: str, differences: dict[str, Any], patterns: Iterable[str]) -> None:
    """Fail on a difference that is not in the table, and on a row of it that is not so."""
    mine = [pattern.partition(": ")[2] for pattern in patterns if pattern.startswith(f"{name}: ")]
    everywhere = [pattern.partition(": ")[2] for pattern in patterns if pattern[:5] == "any: "]

    def known(label: str, allowed: list[str]) -> bool:
        return any(fnmatchcase(label, pattern) for pattern in allowed)

    news = {
        label: f"ours {ours!r}, theirs {theirs!r}"
        for label, (ours, theirs) in differences.items()
        if not known(label, mine + everywhere)
    }
    assert not news, f"differences that docs/proxy.md does not have: {news}"
    stale = [
        pattern for pattern in mine if not any(known(label, [pattern]) for label in differences)
    ]
    assert not stale, f"docs/proxy.md says that these differ, and they do not: {stale}"
