"""What people (or their tools) write into a YAML file that is no plan at all."""

from pathlib import Path
from typing import Any

import pytest

from doorbuster.errors import PlanError
from doorbuster.plan import Plan, load_plan
from doorbuster.plan.document import BYTES_MAX, parsed, read_text
from scenarios.adapter import Adapter
from tests.fakes import PLAN

ALIASES = "\n".join(
    f"{name}: &{name} [{', '.join(['*' + before] * 9)}]"
    for before, name in zip("abcdefghi", "bcdefghij", strict=True)
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            f"a: &a [x, x, x, x, x, x, x, x, x]\n{ALIASES}",
            "aliases included, are more than 100,000",
        ),
        ("a: " + "[" * 99 + "]" * 99, "nested too deeply: expected at most 50 levels"),
        (
            "a0: &a0 x\n" + "\n".join(f"a{n + 1}: &a{n + 1} [*a{n}]" for n in range(60)),
            "nested too deeply",
        ),
        ("a: {b: !secret 7}", "a.b: tag !secret: expected a value without one"),
        ("a: !!python/object/apply:os.system [id]", "a: tag .*os.system"),
        ("a: 1\na: 2", 'line 2: found duplicate key "a"'),
        ("a: 1\n---\nb: 2", "line 2: but found another document"),
        ("a: \x00", "x.yaml: unacceptable character"),
    ],
    ids=["bomb", "deep", "deep by aliases", "tag", "object", "twice", "two", "control"],
)
def test_what_is_no_plan_is_refused_at_once(text: str, message: str) -> None:
    with pytest.raises(PlanError, match=message):
        parsed(text, source="x.yaml")


def test_aliases_are_fine_within_reason() -> None:
    document = parsed("a: &a {x: 1}\nb: *a\nc: {<<: *a}", source="x.yaml")
    assert document["b"]["x"] == document["c"]["x"] == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a: " + b"x" * BYTES_MAX, r"1\.0 MB; expected a plan of at most 1 MB"),
        ("name: sh\xf6p".encode("latin-1"), "position 8.*expected a plan in UTF-8"),
    ],
    ids=["large", "latin-1"],
)
def test_a_file_that_is_no_text_is_refused(content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "plan.yaml"
    path.write_bytes(content)
    with pytest.raises(PlanError, match=message):
        read_text(path, what="a plan")


def test_a_folder_is_no_plan(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match=r"Is a directory; expected a plan$"):
        read_text(tmp_path, what="a plan")


@pytest.mark.parametrize(("text", "got"), [("", "null"), ("- a", "a list"), ("hello", "'hello'")])
def test_a_document_without_keys_is_told_what_it_is(text: str, got: str) -> None:
    with pytest.raises(PlanError, match=f"x.yaml: {got}: expected the keys and values of a plan"):
        load_plan(text, source="x.yaml")


@pytest.mark.parametrize("model", [Plan, Adapter])
def test_no_number_of_a_file_is_read_from_anything_else(model: Any) -> None:
    """pydantic would read `true` as 1, `"7"` as 7 and `1` as true unless it is told not to."""
    assert lax(model.__pydantic_core_schema__, at=model.__name__) == []


def lax(node: Any, *, at: str) -> list[str]:
    """Return where in a schema a number or a truth value is taken from other types."""
    if isinstance(node, list | tuple):
        return [found for entry in node for found in lax(entry, at=at)]
    if not isinstance(node, dict):
        return []
    if node.get("type") in ("function-before", "union"):
        return []  # quantities, read from their texts; values that may be of several types
    if node.get("type") in ("int", "float", "bool") and not node.get("strict"):
        return [f"{at}: {node['type']}"]
    name = node.get("cls").__name__ if isinstance(node.get("cls"), type) else at
    return [
        found
        for key, value in node.items()
        if key not in ("metadata", "serialization", "config", "cls")
        for found in lax(value, at=key if key in node.get("fields", {}) else name)
    ]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("seed: 7", "seed: true", "line 2: seed = true: expected a whole number"),
        ("seed: 7", "seed: 7.0", "line 2: seed = 7.0: expected a whole number"),
        ("seed: 7", 'seed: "7"', "line 2: seed = '7': expected a whole number"),
        ("seed: 7", "seed:", "line 2: seed = null: expected a whole number"),
        ("for: 10s", "for: \N{ARABIC-INDIC DIGIT ONE}0s", "expected a duration such as"),
        ("name: tiny", f"name: {'x' * 500}", f"name = '{'x' * 79}...: expected a text of the form"),
    ],
)
def test_values_of_another_type_are_refused_by_their_line(old: str, new: str, message: str) -> None:
    assert old in PLAN
    with pytest.raises(PlanError) as caught:
        load_plan(PLAN.replace(old, new, 1), source="x.yaml")
    assert message in str(caught.value)


def test_a_number_may_come_from_the_environment() -> None:
    text = PLAN.replace("seed: 7", "seed: ${SEED}").replace(
        "replicas: 1", 'replicas: "${REPLICAS}"'
    )
    environ = {"SEED": "8", "REPLICAS": "2"}
    plan = load_plan(text, source="x.yaml", environ=environ).plan
    assert (plan.seed, plan.storefront.replicas) == (8, 2)
    with pytest.raises(PlanError, match="line 2: seed = 'many': expected a whole number"):
        load_plan(text, source="x.yaml", environ={**environ, "SEED": "many"})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("seed=true", "x.yaml: --set seed=true: seed = true: expected a whole number"),
        ("=5", "--set =5: expected PATH=VALUE, such as seed=8"),
        (".seed=5", "--set .seed=5: expected PATH=VALUE"),
        ("traffic.=5", "--set traffic.=5: expected PATH=VALUE"),
        ("description=${NOWHERE_SET}", "description = '${NOWHERE_SET}': ${NOWHERE_SET} is not set"),
    ],
)
def test_a_change_that_does_not_fit_is_named_itself(change: str, message: str) -> None:
    with pytest.raises(PlanError) as caught:
        load_plan(PLAN, source="x.yaml", overrides=[change], environ={})
    assert message in str(caught.value)
