"""docs/faults.md names every kind, component and mode, and its lines are lines of a plan."""

import re
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from doorbuster.faults import COMPONENTS, KINDS, Fault
from doorbuster.faults.chance import RandomFaults
from doorbuster.faults.provider import MODES

TEXT = (Path(__file__).parents[2] / "docs" / "faults.md").read_text(encoding="utf-8")
LINES = re.findall(r"^    - (\{at: .*\})$", TEXT, re.MULTILINE)


@pytest.mark.parametrize("word", [*KINDS, *COMPONENTS, *MODES])
def test_every_word_is_explained(word: str) -> None:
    assert f"`{word}`" in TEXT


@pytest.mark.parametrize("line", LINES)
def test_every_line_is_a_fault(line: str) -> None:
    assert Fault.model_validate(YAML(typ="safe").load(line)).name


def test_every_kind_has_a_line() -> None:
    shown = {Fault.model_validate(YAML(typ="safe").load(line)).word for line in LINES}
    assert shown == set(KINDS)


def test_the_line_of_chance_is_one() -> None:
    (line,) = re.findall(r"^    random: (\{.*\})$", TEXT, re.MULTILINE)
    assert RandomFaults.model_validate(YAML(typ="safe").load(line)).seed == 3
