"""The guide's files are read as a user's would be."""

import re
from pathlib import Path

from doorbuster.levels import LEVELS
from doorbuster.plan.document import parsed
from doorbuster.plan.target import Target
from scenarios.adapter import parse_adapter
from scenarios.adapters.rules import Rule, When
from scenarios.adapters.templates import RUN_ID, STEP_VALUES
from scenarios.shop import speak

GUIDE = (Path(__file__).parents[2] / "docs" / "adapters.md").read_text(encoding="utf-8")
ADAPTER, PLAN = re.findall(r"```yaml\n(.*?)```", GUIDE, re.DOTALL)


def test_the_adapter_is_sound_and_short() -> None:
    adapter = parse_adapter(ADAPTER, source="docs/adapters.md")
    assert set(speak(adapter, host="shop")) == {"view", "reserve", "pay", "status"}
    assert ADAPTER.count("\n") <= 40


def test_the_target_is_sound() -> None:
    document = parsed(PLAN, source="docs/adapters.md")
    assert Target.model_validate(document["target"]).host == "shop.staging.example"


def test_every_word_is_explained() -> None:
    for field, info in When.model_fields.items():
        assert f"`{info.alias or field}`" in GUIDE
    (placeholders,) = re.findall(r"^Placeholders: (.*)$", GUIDE, re.MULTILINE)
    assert set(re.findall(r"`\{(\w+)\}`", placeholders)) <= {*STEP_VALUES, RUN_ID}
    for field in set(Rule.model_fields) - {"when", "then", "reason"}:
        assert f"`{field}" in GUIDE
    for level in LEVELS.values():
        assert f"| {level.split(',')[0]} |" in GUIDE
