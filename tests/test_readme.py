"""The README says only what is so: every command, path, plan and exit code in it exists."""

import re
from functools import cache
from pathlib import Path

import pytest
from typer.testing import CliRunner

from doorbuster.cli.main import app
from doorbuster.cli.plans import ready_plans
from doorbuster.cli.verbs import VERBS
from doorbuster.plan import load_plan
from doorbuster.verdicts import EXIT_CODES
from tests.fakes import PLAN

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = sorted(VERBS)


@cache
def helped(command: str) -> str:
    shown = CliRunner().invoke(app, [command, "--help"])
    assert shown.exit_code == 0
    return shown.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_explained_and_has_help(command: str) -> None:
    assert re.search(rf"^\| `doorbuster {command}\b", README, re.MULTILINE)
    assert f"doorbuster {command}" in helped(command)


def test_every_command_that_is_named_exists() -> None:
    named = set(re.findall(r"(?:^    |`)(?:\.venv/bin/)?doorbuster ([a-z]+)", README, re.MULTILINE))
    assert named <= set(COMMANDS)


OPTIONS = re.findall(r"`(--[a-z-]+)", "".join(re.findall(r"^\|.*$", README, re.MULTILINE)))


@pytest.mark.parametrize("option", sorted(set(OPTIONS)))
def test_every_option_that_is_named_exists(option: str) -> None:
    assert any(option in helped(command) for command in COMMANDS)


@pytest.mark.parametrize("verb", re.findall(r"^    make ([a-z]+)", README, re.MULTILINE))
def test_every_make_verb_exists(verb: str) -> None:
    assert re.search(rf"^{verb}:.*##", (ROOT / "Makefile").read_text(), re.MULTILINE)


@pytest.mark.parametrize("path", sorted(set(re.findall(r"`((?:[a-z_-]+/)+[a-z_.-]*)`", README))))
def test_every_path_that_is_named_exists(path: str) -> None:
    assert path.startswith("runs/") or (ROOT / path).exists()


@pytest.mark.parametrize("code", EXIT_CODES)
def test_every_exit_code_is_explained(code: int) -> None:
    text = " ".join(README.split())
    assert f"{code} {EXIT_CODES[code]}" in text


def test_every_ready_plan_is_listed() -> None:
    assert [name for name in ready_plans() if f"`{name}`" not in README] == []


def test_the_lines_of_a_plan_can_be_read() -> None:
    """The example's faults and budgets, in a plan that has the phases they name."""
    example_lines = r"((?:^    (?:faults:|budgets:|stop:|  - ).*\n)+)"
    (example,) = re.findall(example_lines, README, re.MULTILINE)
    lines = re.sub(r"^    ", "", example, flags=re.MULTILINE)
    plan = PLAN[: PLAN.index("faults:")].replace("phase: baseline", "phase: plateau")
    loaded = load_plan(plan.replace("for: 10s", "for: 30s") + lines, source="README.md")
    assert len(loaded.plan.faults) == 2
