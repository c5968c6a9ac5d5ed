"""Changes of single values on the command line: `--set traffic.arrivals.rush.rate=80/s`."""

from collections.abc import Sequence
from typing import Any

from ruamel.yaml.comments import CommentedMap

from doorbuster.errors import PlanError
from doorbuster.faults import KINDS, default_name
from doorbuster.plan.document import Place, parsed, plain


def override(document: CommentedMap, change: str) -> Place:
    """Set one value by its dotted path; list entries go by number or by their name.

    Returns the place that was set.
    """
    path, found, text = change.partition("=")
    *folders, last = path.strip().split(".")
    if not found or not all([*folders, last]):
        raise PlanError(f"--set {change}: expected PATH=VALUE, such as seed=8")
    node: Any = document
    place: Place = ()
    for folder in folders:
        node, key = _enter(node, folder, change)
        place = (*place, key)
    # Plain, since the lines of the override's own text are not lines of the plan.
    value = plain(parsed(text, source=f"--set {change}")) if text else text
    key = _index(node, last, change) if isinstance(node, list) else last
    node[key] = value
    return (*place, key)


def entry_name(entry: Any) -> str | None:
    """Return what an entry of a list is called: a phase, an item, a fault."""
    if not isinstance(entry, dict):
        return None
    named = [str(entry[key]) for key in ("phase", "sku", "name") if entry.get(key)]
    kinds = [kind for kind in KINDS if kind in entry]
    if not named and "on" in entry and kinds:
        return default_name(entry["on"], kinds)
    return named[0] if named else None


def _enter(node: Any, name: str, change: str) -> tuple[Any, str | int]:
    if isinstance(node, list):
        index = _index(node, name, change)
        inner = node[index]
    else:
        index = None
        inner = node.setdefault(name, CommentedMap())
    if not isinstance(inner, dict | list):
        raise PlanError(f"--set {change}: {name!r} holds no further keys")
    return inner, name if index is None else index


def _index(node: Sequence[Any], name: str, change: str) -> int:
    names = [entry_name(entry) for entry in node]
    if name in names:
        return names.index(name)
    if name.isdecimal() and int(name) < len(node):
        return int(name)
    known = ", ".join(filter(None, names)) or f"0 to {len(node) - 1}"
    raise PlanError(f"--set {change}: no entry {name!r}, expected one of {known}")
