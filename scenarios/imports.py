"""Which files a Python file imports from beside it, so that all of them can be handed over."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_OURS: Final = frozenset({"chaos", "doorbuster", "reports", "scenarios", "target_app"})
"""Every worker has these, and of the same version."""


def imported_beside(path: Path) -> list[Path]:
    """Return the modules that `path` imports from its own folder, and what those import, once each.

    Of a package all Python files count: what they import from each other need not be followed.
    An import by name at run time cannot be seen. A file that cannot be read imports nothing here;
    whoever loads it says what is wrong with it.
    """
    folder = path.parent
    found: dict[Path, None] = {}
    to_read = [path]
    while to_read:
        for name in _imported_by(to_read.pop()) - _OURS:
            for file in _files_of(folder, name):
                if file not in found and file != path:
                    found[file] = None
                    to_read.append(file)
    return list(found)


def _imported_by(path: Path) -> set[str]:
    """Return the first part of every module that is imported by its full name."""
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return set()
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module)
    return {name.partition(".")[0] for name in names}


def _files_of(folder: Path, name: str) -> Iterator[Path]:
    """Yield the files of a module or package in `folder`, none if it is from elsewhere."""
    if (folder / name).is_dir():
        yield from sorted((folder / name).rglob("*.py"))
    elif (folder / f"{name}.py").is_file():
        yield folder / f"{name}.py"
