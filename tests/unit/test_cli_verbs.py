"""The command line starts fast: a verb imports what it needs, and no verb what others need."""

import subprocess
import sys

import pytest
from typer.testing import CliRunner

from doorbuster.cli.main import app
from doorbuster.cli.verbs import VERBS

SLOW = ("altair", "duckdb", "scipy", "asyncpg", "httpx", "testcontainers", "gevent", "locust")
IMPORTED = f"""
import sys
from doorbuster.cli.main import run
code = run(sys.argv[1:])
print("slow:", *(name for name in {SLOW!r} if name in sys.modules))
sys.exit(code)
"""


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["plans"],
        ["validate", "smoke"],
        ["schema"],
        ["journal", "--help"],
        ["note", "--help"],
    ],
    ids=" ".join,
)
def test_a_quick_verb_imports_nothing_slow(arguments: list[str]) -> None:
    command = [sys.executable, "-c", IMPORTED, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "slow:"


def test_the_list_of_verbs_shows_each_with_all_of_its_line() -> None:
    shown = CliRunner().invoke(app, ["--help"], terminal_width=80).stdout.splitlines()
    for name, verb in VERBS.items():
        assert f"  {name:<10}  {verb.summary}" in shown


def test_a_mistyped_verb_is_answered_by_the_one_that_was_meant() -> None:
    shown = CliRunner().invoke(app, ["jornal"])
    assert shown.exit_code == 2
    assert "Did you mean 'journal'?" in shown.stderr
