"""Which Toxiproxy a rehearsal drives and the command that starts it; starting is the stack's."""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from doorbuster.errors import MissingPrerequisite

Choice = Literal["auto", "toxiproxy", "embedded"]

URL_VARIABLE = "TOXIPROXY_URL"
PROGRAM = "toxiproxy-server"


@dataclass(frozen=True)
class ProxyChoice:
    """A server to start with a command, or one at a URL, which others may be using as well."""

    kind: Literal["external", "toxiproxy", "embedded"]
    url: str | None = None
    program: tuple[str, ...] | None = None

    def command(self, *, host: str, port: int) -> list[str]:
        """Return the command line that makes the API listen there."""
        assert self.program is not None, f"{self.url} is not ours to start"
        return [*self.program, "-host", host, "-port", str(port)]

    def described(self, version: str) -> str:
        """Name the server for people; `version` is what it says itself ("git" when self-built)."""
        match self.kind:
            case "external":
                return f"Toxiproxy {version} at {self.url}"
            case "toxiproxy":
                return f"{PROGRAM} {version}"
            case "embedded":
                return f"embedded {version}"


def choose_proxy(
    choice: Choice, *, environ: Mapping[str, str], which: Callable[[str], str | None]
) -> ProxyChoice:
    """Choose the proxy server: the one at `TOXIPROXY_URL`, else one on PATH, else our own.

    Args:
        choice: `embedded` is always our own; `toxiproxy` never is.
        environ: Where `TOXIPROXY_URL` is looked up; empty is not set.
        which: Finds a program on PATH, as `shutil.which` does.
    """
    if choice != "embedded":
        url = environ.get(URL_VARIABLE)
        if url:
            return ProxyChoice("external", url=url)
        program = which(PROGRAM)
        if program is not None:
            return ProxyChoice("toxiproxy", program=(program,))
        if choice == "toxiproxy":
            raise MissingPrerequisite(
                f"{PROGRAM} is not on PATH and {URL_VARIABLE} is not set: "
                "install Toxiproxy 2.5 or later, or choose the embedded proxy"
            )
    return ProxyChoice("embedded", program=(sys.executable, "-m", "chaos.proxy"))
