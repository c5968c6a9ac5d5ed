"""`doorbuster doctor`: whether a rehearsal can run on this machine, and what it would use."""

import os
import shutil
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from rich.console import Console
from rich.table import Table
from rich.text import Text

from chaos.server import PROGRAM, choose_proxy
from doorbuster.errors import MissingPrerequisite
from doorbuster.stack.doctor import Finding, examine, version_of
from doorbuster.stack.ready import http_probe

STYLES: Final = {"ok": "green", "note": "yellow", "lacks": "red"}
CANNOT: Final = 2


def doctor() -> int:
    """Say what this machine has and lacks; exit code 2 if a rehearsal cannot run."""
    findings = list(examine(proxy_here))
    show(findings)
    lacking = [finding.name for finding in findings if finding.state == "lacks"]
    if lacking:
        print(f"a rehearsal cannot run here: see {', '.join(lacking)}")
        return CANNOT
    print("a rehearsal can run here")
    return 0


def proxy_here() -> str:
    """Return which proxy a rehearsal takes by itself."""
    choice = choose_proxy("auto", environ=os.environ, which=shutil.which)
    if choice.url is not None:
        if objection := http_probe(urlsplit(choice.url).netloc, "/version")():
            raise MissingPrerequisite(f"no Toxiproxy at {choice.url}: {objection}")
        return f"the Toxiproxy at {choice.url}"
    assert choice.program is not None, "a choice has a URL or a program"
    if choice.kind == "toxiproxy":
        return f"{PROGRAM}: {version_of(Path(choice.program[0]), '-version')}"
    return f"the embedded one; no {PROGRAM} on PATH"


def show(findings: list[Finding]) -> None:
    table = Table(box=None, pad_edge=False, show_header=False)
    for finding in findings:
        style = STYLES[finding.state]
        table.add_row(Text(finding.state, style=style), finding.name, Text(finding.text))
    Console().print(table)
