"""YAML files that people write: read as YAML 1.2 within bounds, and where in them things stand."""

from io import StringIO
from pathlib import Path
from typing import Any, Final

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq, TaggedScalar
from ruamel.yaml.composer import MaxDepthExceededError
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from doorbuster.errors import PlanError
from doorbuster.quantities import Given

Place = tuple[str | int, ...]
"""Where something is in a document: keys and indexes from its root."""

BYTES_MAX: Final = 1_000_000
VALUES_MAX: Final = 100_000
DEPTH_MAX: Final = 50
"""Beyond anything people write. A few lines of aliases of aliases would fill all memory."""


def read_text(path: Path, *, what: str) -> str:
    """Return the text of a file that should be `what`, or say what is wrong with it."""
    try:
        if path.is_file() and path.stat().st_size > BYTES_MAX:
            size = f"{path.stat().st_size / 1e6:.1f} MB"
            raise PlanError(f"{path}: {size}; expected {what} of at most {BYTES_MAX / 1e6:g} MB")
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise PlanError(f"{path}: {error.strerror}; expected {what}") from error
    except ValueError as error:
        raise PlanError(f"{path}: {error}; expected {what} in UTF-8") from error


def parsed(text: str, *, source: str) -> Any:
    """Return what YAML 1.2 means by `text`, with the lines that things stand on.

    Raises:
        PlanError: It is no YAML, has a key twice or a tag, or is larger than people write.
    """
    yaml = YAML(typ="rt")
    yaml.max_depth = DEPTH_MAX
    try:
        document = yaml.load(StringIO(text))
        _Bounds(source).check(document, place=(), depth=0)
    except MaxDepthExceededError:
        raise _too_deep(source) from None
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise PlanError(f"{source}: line {line}: {error.problem or error.context}") from error
    except YAMLError as error:
        raise PlanError(f"{source}: {' '.join(str(error).split())}") from error
    return document


class _Bounds:
    """Counts what a document comes to once each alias stands for what it means."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._values = 0

    def check(self, node: Any, *, place: Place, depth: int) -> None:
        self._values += 1
        if self._values > VALUES_MAX:
            raise PlanError(
                f"{self._source}: its values, aliases included, are more than {VALUES_MAX:,}: "
                "expected fewer"
            )
        if depth > DEPTH_MAX:
            raise _too_deep(self._source)
        if tag := _tag(node):
            where = dotted(place) or "the document"
            raise PlanError(f"{self._source}: {where}: tag {tag}: expected a value without one")
        if isinstance(node, dict | list):
            inside = node.items() if isinstance(node, dict) else enumerate(node)
            for key, value in inside:
                self.check(value, place=(*place, key), depth=depth + 1)


def _tag(node: Any) -> str | None:
    tagged = isinstance(node, CommentedMap | CommentedSeq | TaggedScalar)
    return node.tag.value if tagged and node.tag.value else None


def _too_deep(source: str) -> PlanError:
    return PlanError(f"{source}: nested too deeply: expected at most {DEPTH_MAX} levels")


def located(document: Any, place: Place) -> tuple[int | None, Place]:
    """Return the line of the deepest part of `place` that is in the document, and that part."""
    node, line, reached = document, None, []
    for part in place:
        inside = isinstance(node, dict) and part in node
        inside = inside or (isinstance(node, list) and isinstance(part, int) and part < len(node))
        if not inside:
            break
        line = line_at(node, part) or line
        node = node[part]
        reached.append(part)
    return line, tuple(reached)


def line_at(node: Any, key: Any) -> int | None:
    """Return the line (from 1) where `key` of a mapping or sequence stands."""
    if isinstance(node, CommentedMap | CommentedSeq) and key in (node.lc.data or {}):
        return int(node.lc.data[key][0]) + 1
    return None


def dotted(place: Place) -> str:
    return ".".join(map(str, place))


def plain(node: Any) -> Any:
    """Return a part of a document as plain dicts, lists and scalars."""
    if isinstance(node, dict):
        return {str(key): plain(value) for key, value in node.items()}
    if isinstance(node, list):
        return [plain(value) for value in node]
    for kind in (bool, int, float, Given, str):
        if isinstance(node, kind):
            return kind(node)
    return node
