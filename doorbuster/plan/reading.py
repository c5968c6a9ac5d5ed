"""Reading a plan: YAML 1.2, environment variables, overrides, and every mistake at once by line."""

import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError
from ruamel.yaml.comments import CommentedMap

from doorbuster.errors import PlanError
from doorbuster.faults import KINDS
from doorbuster.plan.document import Place, dotted, line_at, located, parsed, plain, read_text
from doorbuster.plan.model import Plan
from doorbuster.plan.overrides import entry_name, override
from doorbuster.plan.storefront import KnownShop
from doorbuster.plan.wording import expectation, shown
from doorbuster.quantities import Given

_VARIABLE: Final = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


@dataclass(frozen=True)
class LoadedPlan:
    """A plan with where it came from and what was changed on the way."""

    plan: Plan
    source: str
    overrides: tuple[str, ...]

    @property
    def resolved(self) -> dict[str, Any]:
        """The plan with all defaults, as `plan.json` holds it and `Plan` reads it back."""
        return self.plan.model_dump(mode="json", by_alias=True, exclude_none=True)

    @property
    def digest(self) -> str:
        """A hash of the resolved plan: the same intent has the same hash."""
        text = json.dumps(self.resolved, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Mistake:
    """One mistake of a plan and where it is: on a line, or in a change of the command line."""

    line: int | None
    path: str
    value: str | None
    expectation: str
    change: str | None = None

    def __str__(self) -> str:
        place = f"line {self.line}: " if self.line else ""
        place = f"--set {self.change}: " if self.change else place
        value = f" = {self.value}" if self.value is not None else ""
        return f"{place}{self.path or 'plan'}{value}: {self.expectation}"


def load_plan(
    text: str,
    *,
    source: str,
    overrides: Sequence[str] = (),
    environ: Mapping[str, str] = os.environ,
    shop: KnownShop | None = None,
) -> LoadedPlan:
    """Read a plan and apply `overrides` such as `traffic.arrivals.rush.rate=80/s`.

    Strategies and flaws are those of `shop`; without it they may have any name. Files that the
    plan names are relative to the folder of `source`.

    Raises:
        PlanError: One line per mistake, each with line, path, value and what was expected.
    """
    document, stored = _parse(text, source)
    changed = {override(document, change): change for change in overrides}
    mistakes = list(_substitute(document, (), environ))
    context: dict[str, Any] = {
        "phases": _names(document, ("traffic", "arrivals"), "phase"),
        "faults": _fault_names(document),
        "shop": shop,
    }
    if not stored:  # the processes of a run have other working folders
        context["folder"] = Path(source).parent.absolute()
    try:
        plan = Plan.model_validate(_bare_kinds(plain(document)), context=context)
    except ValidationError as error:
        mistakes += _mistakes(error, document, changed)
    if mistakes:
        ordered = sorted(set(map(str, mistakes)), key=_line_number)
        raise PlanError("\n".join(f"{source}: {mistake}" for mistake in ordered))
    return LoadedPlan(plan, source, tuple(overrides))


def read_plan_file(path: Path) -> str:
    """Return the text of a plan file, or say what is wrong with the path."""
    return read_text(path, what="a plan in YAML")


def _parse(text: str, source: str) -> tuple[CommentedMap, bool]:
    """Return the plan, and whether it is one that a run stored: its files are found and read."""
    document = parsed(text, source=source)
    if not isinstance(document, CommentedMap):
        got = "a list" if isinstance(document, list) else shown(document)
        raise PlanError(f"{source}: {got}: expected the keys and values of a plan")
    # The plan.json of a run, which is to be repeated, has the plan and where it came from.
    kept = document.get("plan") if "schema" in document else None
    return (kept, True) if isinstance(kept, CommentedMap) else (document, False)


def _substitute(node: Any, path: Place, environ: Mapping[str, str]) -> Iterator[Mistake]:
    """Put environment variables in place of `${NAME}`, everywhere in the document."""
    items: Any = ()
    if isinstance(node, dict):
        items = list(node.items())
    elif isinstance(node, list):
        items = list(enumerate(node))
    for key, value in items:
        if isinstance(value, str):
            for name in _VARIABLE.findall(value):
                if name not in environ:
                    line = line_at(node, key)
                    yield Mistake(
                        line, dotted((*path, key)), shown(value), f"${{{name}}} is not set"
                    )
            if _VARIABLE.search(value):
                node[key] = Given(_VARIABLE.sub(lambda m: environ.get(m[1], m[0]), value))
        else:
            yield from _substitute(value, (*path, key), environ)


def _names(document: Any, path: Place, key: str) -> list[str] | None:
    node = document
    for name in path:
        node = node.get(name) if isinstance(node, dict) else None
    if not isinstance(node, list):
        return None
    return [str(entry[key]) for entry in node if isinstance(entry, dict) and key in entry]


def _fault_names(document: CommentedMap) -> list[str | None] | None:
    """Return what the faults are called; None where one of them is not known for what it is."""
    faults = document.get("faults")
    if faults is None:
        return []
    if not isinstance(faults, list):
        return None
    names = [entry_name(fault) for fault in faults]
    return None if None in names else names


def _bare_kinds(node: Any) -> Any:
    """Return the plain document with settings for each kind: a `down:` without any is `{}`."""
    if isinstance(node, dict):
        return {
            key: {} if value is None and key in KINDS else _bare_kinds(value)
            for key, value in node.items()
        }
    return [_bare_kinds(value) for value in node] if isinstance(node, list) else node


def _mistakes(
    error: ValidationError, document: CommentedMap, changed: Mapping[Place, str]
) -> Iterator[Mistake]:
    for found in error.errors(include_url=False):
        path = tuple(part for part in found["loc"] if part != "[key]")
        line, reached = located(document, path)
        change = next(
            (changed[path[:n]] for n in range(len(path), 0, -1) if path[:n] in changed), None
        )
        value = shown(found["input"])
        if found["type"] == "extra_forbidden":
            expected, value = f"unknown key, expected {_known(path)}", None
        elif found["type"] == "missing":
            path, expected, value = reached, f"`{path[-1]}` is missing", None
        else:
            expected = expectation(found)
        yield Mistake(line, dotted(path), value, expected, change)


def _known(path: Place) -> str:
    """Return the keys that exist where `path` ends, for the message about an unknown one."""
    node: Any = Plan.model_json_schema(by_alias=True)
    definitions = node.get("$defs", {})
    for part in path[:-1]:
        node = _resolve(node, definitions)
        node = node.get("items", {}) if isinstance(part, int) else node["properties"].get(part, {})
    keys = _resolve(node, definitions).get("properties", {})
    return f"one of {', '.join(keys)}" if keys else "no keys here"


def _resolve(node: Any, definitions: Any) -> Any:
    """Follow references and optional values to the schema of an object or a list."""
    for _ in range(10):
        if "$ref" in node:
            node = definitions[node["$ref"].rsplit("/", 1)[-1]]
        elif "anyOf" in node:
            node = next((n for n in node["anyOf"] if n.get("type") != "null"), {})
        else:
            break
    return node


def _line_number(mistake: str) -> tuple[int, str]:
    match = re.match(r"line (\d+)", mistake)
    return (int(match[1]) if match else 0, mistake)
