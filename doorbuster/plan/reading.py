"""Reading a plan: YAML 1.2, environment variables, overrides, and every mistake at once by line."""

import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from doorbuster.errors import PlanError
from doorbuster.faults import KINDS, default_name
from doorbuster.plan.model import Plan
from doorbuster.plan.storefront import KnownShop

_VARIABLE: Final = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_PREFIX: Final = re.compile(r"^(Value error|Assertion failed), ")

Path_ = tuple[str | int, ...]


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
    """One mistake of a plan and where it is."""

    line: int | None
    path: str
    value: str | None
    expectation: str

    def __str__(self) -> str:
        place = f"line {self.line}: " if self.line else ""
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
    document = _parse(text, source)
    mistakes = list(_substitute(document, (), environ))
    for override in overrides:
        _override(document, override)
    context = {
        "phases": _names(document, ("traffic", "arrivals"), "phase"),
        "faults": _fault_names(document),
        "shop": shop,
        "folder": Path(source).parent,
    }
    try:
        plan = Plan.model_validate(_plain(document), context=context)
    except ValidationError as error:
        mistakes += _mistakes(error, document)
    if mistakes:
        ordered = sorted(set(map(str, mistakes)), key=_line_number)
        raise PlanError("\n".join(f"{source}: {mistake}" for mistake in ordered))
    return LoadedPlan(plan, source, tuple(overrides))


def read_plan_file(path: Path) -> str:
    """Return the text of a plan file, or say what is wrong with the path."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise PlanError(f"{path}: {error}; expected a plan in YAML") from error


def _parse(text: str, source: str) -> CommentedMap:
    document = _yaml(text, source)
    if not isinstance(document, CommentedMap):
        raise PlanError(f"{source}: expected keys and values, got {type(document).__name__}")
    # The plan.json of a run, which is to be repeated, has the plan and where it came from.
    kept = document.get("plan") if "schema" in document else None
    return kept if isinstance(kept, CommentedMap) else document


def _yaml(text: str, source: str) -> Any:
    """Return what YAML 1.2 means by `text`, with the lines that things stand on."""
    try:
        return YAML(typ="rt").load(StringIO(text))
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise PlanError(f"{source}: line {line}: {error.problem or error.context}") from error
    except YAMLError as error:
        raise PlanError(f"{source}: {error}") from error


def _substitute(node: Any, path: Path_, environ: Mapping[str, str]) -> Iterator[Mistake]:
    """Put environment variables in place of `${NAME}`, everywhere in the document."""
    items: Any = ()
    if isinstance(node, CommentedMap):
        items = list(node.items())
    elif isinstance(node, CommentedSeq):
        items = list(enumerate(node))
    for key, value in items:
        if isinstance(value, str):
            for name in _VARIABLE.findall(value):
                if name not in environ:
                    line = _line(node, key)
                    yield Mistake(line, _dotted((*path, key)), value, f"${{{name}}} is not set")
            node[key] = _VARIABLE.sub(lambda m: environ.get(m[1], m[0]), value)
        else:
            yield from _substitute(value, (*path, key), environ)


def _override(document: CommentedMap, override: str) -> None:
    """Set one value by its dotted path; list entries go by number or by their name."""
    dotted, found, text = override.partition("=")
    if not found:
        raise PlanError(f"--set {override}: expected PATH=VALUE, such as seed=8")
    *folders, last = dotted.split(".")
    node: Any = document
    for folder in folders:
        node = _enter(node, folder, override)
    # Plain, since the lines of the override's own text are not lines of the plan.
    value = _plain(_yaml(text, f"--set {override}")) if text else text
    if isinstance(node, list):
        node[_index(node, last, override)] = value
    else:
        node[last] = value


def _enter(node: Any, name: str, override: str) -> Any:
    if isinstance(node, list):
        return node[_index(node, name, override)]
    if name not in node:
        node[name] = CommentedMap()
    inner = node[name]
    if not isinstance(inner, dict | list):
        raise PlanError(f"--set {override}: {name!r} holds no further keys")
    return inner


def _index(node: Sequence[Any], name: str, override: str) -> int:
    names = [_entry_name(entry) for entry in node]
    if name in names:
        return names.index(name)
    if name.isdecimal() and int(name) < len(node):
        return int(name)
    known = ", ".join(filter(None, names)) or f"0 to {len(node) - 1}"
    raise PlanError(f"--set {override}: no entry {name!r}, expected one of {known}")


def _entry_name(entry: Any) -> str | None:
    """Return what an entry of a list is called: a phase, an item, a fault."""
    if not isinstance(entry, dict):
        return None
    named = [str(entry[key]) for key in ("phase", "sku", "name") if entry.get(key)]
    if not named and "on" in entry:
        return default_name(entry["on"], [kind for kind in KINDS if kind in entry])
    return named[0] if named else None


def _names(document: Any, path: Path_, key: str) -> list[str] | None:
    node = document
    for name in path:
        node = node.get(name) if isinstance(node, dict) else None
    if not isinstance(node, list):
        return None
    return [str(entry[key]) for entry in node if isinstance(entry, dict) and key in entry]


def _fault_names(document: CommentedMap) -> list[str]:
    faults = document.get("faults")
    if not isinstance(faults, list):
        return []
    return [name for name in map(_entry_name, faults) if name is not None]


def _plain(node: Any) -> Any:
    """Return the document as plain dicts, lists and scalars; a `down:` without settings is `{}`."""
    if isinstance(node, dict):
        return {
            str(key): {} if value is None and key in KINDS else _plain(value)
            for key, value in node.items()
        }
    if isinstance(node, list):
        return [_plain(value) for value in node]
    for kind in (bool, int, float, str):
        if isinstance(node, kind):
            return kind(node)
    return node


def _mistakes(error: ValidationError, document: CommentedMap) -> Iterator[Mistake]:
    for found in error.errors(include_url=False):
        path = tuple(part for part in found["loc"] if part != "[key]")
        line, shown = _locate(document, path)
        scalar = isinstance(found["input"], str | int | float | bool)
        value = repr(found["input"]) if scalar else None
        if found["type"] == "extra_forbidden":
            yield Mistake(line, _dotted(path), None, "unknown key, expected " + _known(path))
        elif found["type"] == "missing":
            yield Mistake(line, shown, None, f"`{path[-1]}` is missing")
        else:
            yield Mistake(line, _dotted(path), value, _PREFIX.sub("", found["msg"]))


def _known(path: Path_) -> str:
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


def _locate(document: Any, path: Path_) -> tuple[int | None, str]:
    """Return the line of the deepest part of `path` that is in the document, and that part."""
    node, line, reached = document, None, []
    for part in path:
        inside = isinstance(node, dict) and part in node
        inside = inside or (isinstance(node, list) and isinstance(part, int) and part < len(node))
        if not inside:
            break
        line = _line(node, part) or line
        node = node[part]
        reached.append(part)
    return line, _dotted(tuple(reached))


def _line(node: Any, key: Any) -> int | None:
    """Return the line (from 1) where `key` of a mapping or sequence stands."""
    if isinstance(node, CommentedMap | CommentedSeq) and key in (node.lc.data or {}):
        return int(node.lc.data[key][0]) + 1
    return None


def _dotted(path: Path_) -> str:
    return ".".join(map(str, path))


def _line_number(mistake: str) -> tuple[int, str]:
    match = re.match(r"line (\d+)", mistake)
    return (int(match[1]) if match else 0, mistake)
