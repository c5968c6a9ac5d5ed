"""House rules that no linter knows. The test's id names the file."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PARTS = ("doorbuster", "scenarios", "chaos", "reports", "target_app", "benchmarks")
SOURCES = [path for part in PARTS for path in sorted((ROOT / part).rglob("*.py"))]
TESTS = sorted((ROOT / "tests").rglob("*.py"))
TEXTS = [
    path
    for pattern in ("*", ".ci/*", "docs/**/*", "doorbuster/plans/*", "scenarios/adapters/*.yaml")
    for path in sorted(ROOT.glob(pattern))
    if path.is_file() and path.suffix != ".png" and path.name != ".git"  # a worktree's pointer
]

IMAGES = {"Dockerfile", "docker-compose.yml"}  # their paths are inside of a container
VAGUE = {"utils", "helpers", "common", "base", "core", "manager"}
LEFTOVER = re.compile(r"\b(?:TODO|FIXME|XXX|HACK)\b(?!.*#\d)")
MACHINE = re.compile(r"(?<![\w.~$}/])/(?:work|root|home|Users|mnt)/\w")
REGISTRY = re.compile(
    r"pypi[.]org|pythonhosted[.]org|proxy[.]golang[.]org|registry[.]npmjs|--(?:extra-)?index-url"
)


def by_name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def functions_above(source: str, lines: int) -> list[str]:
    return [
        node.name
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.end_lineno is not None
        and node.end_lineno - node.lineno >= lines
    ]


@pytest.mark.parametrize("path", SOURCES, ids=by_name)
def test_sizes_and_names(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    assert source.count("\n") <= 300, "look for the second noun in it"
    assert not functions_above(source, 50)
    assert path.stem not in VAGUE, "name the noun that it defines"


@pytest.mark.parametrize("path", [*SOURCES, *TESTS, *TEXTS], ids=by_name)
def test_nothing_left_behind(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    if path != Path(__file__):
        assert not LEFTOVER.findall(text), "give it the number of its issue"
        assert path.name in IMAGES or not MACHINE.findall(text), "a path of one machine"
    assert not REGISTRY.findall(text), "where packages come from is for the machine to say"


@pytest.mark.parametrize(
    ("rule", "bad", "good"),
    [
        (LEFTOVER, "# TODO: later", "# TODO #12: later"),
        (
            MACHINE,
            'Path("/home/me/runs")',
            'Path("~/home/me"), "$HOME/x", "a/home/b", "https://x/root/y"',
        ),
        (REGISTRY, "https://files.python" + "hosted.org/x", "--no-emit-index-url"),
    ],
)
def test_the_rules_can_be_broken(rule: re.Pattern[str], bad: str, good: str) -> None:
    assert rule.search(bad)
    assert not rule.search(good)


def test_a_long_function_is_seen() -> None:
    long = "def long():\n" + "    pass\n" * 50
    assert functions_above(long, 50) == ["long"]
    assert not functions_above(long.replace("    pass\n", "", 1), 50)
    assert len(SOURCES) > 50
