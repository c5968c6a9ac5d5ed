"""Which shop a plan names: the reference one, an adapter file, or a class in a Python file."""

import importlib.util
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from pydantic import ValidationError

from doorbuster.errors import PlanError
from scenarios.adapter import MARK, Adapter, load_adapter
from scenarios.adapters.building import Letter
from scenarios.adapters.operations import REQUIRED
from scenarios.adapters.templates import names_in
from scenarios.additions import Addition, reference_with
from scenarios.python_shop import methods_of
from scenarios.shop import Shop, speak

_PYTHON: Final = ".py:"


@dataclass(frozen=True)
class KnownShop:
    """A shop that was read and found sound.

    Args:
        open: Makes it ready to be spoken to, given the Host header and the run's id.
        adapter: The file's content; None for a Python class.
        carries_reference: Whether our reference goes into the order: a class may always do so.
    """

    open: Callable[[str, str], Shop]
    adapter: Adapter | None
    carries_reference: bool


def known_shop(
    name: str | None,
    *,
    additions: Collection[Addition] = (),
    columns: Sequence[str] | None = None,
) -> KnownShop:
    """Read the shop that `name` means: a path, `PATH.py:CLASS`, or None for the reference one.

    That one has what is added to it; of another shop its adapter says what it has. With `columns`
    an adapter may fill in only these of the users' columns.

    Raises:
        PlanError: What is wrong with it, and where.
    """
    if name is not None and _PYTHON in name:
        return _of_class(name)
    if name is None and additions:
        adapter = reference_with(additions)
    else:
        adapter = load_adapter(None if name is None else Path(name), columns=columns)

    def open_(host: str, run_id: str) -> Shop:
        return speak(adapter, host=host, run_id=run_id)

    return KnownShop(open_, adapter, "client_ref" in _names_of(adapter))


def _names_of(adapter: Adapter) -> set[str]:
    requests = [exchange.request for exchange in adapter.operations["reserve"].exchanges]
    return {name for r in requests for name in names_in([r.headers, r.content, r.form, r.body])}


def _of_class(name: str) -> KnownShop:
    path, _, class_name = name.rpartition(":")
    shop_class = getattr(_module(Path(path)), class_name, None)
    if not isinstance(shop_class, type):
        raise PlanError(f"{path}: no class {class_name!r}; expected one with methods view, reserve")
    try:
        shop = shop_class()
    except Exception as error:
        raise PlanError(
            f"{name}: {error!r}; expected a class that is made without arguments"
        ) from error
    missing = [op for op in REQUIRED if not callable(getattr(shop, op, None))]
    if missing:
        raise PlanError(
            f"{name}: no method {', '.join(missing)}; expected view and reserve at least"
        )
    mark: Mapping[str, str] = getattr(shop, "mark", MARK)

    def open_(host: str, run_id: str) -> Shop:
        return methods_of(shop, Letter(host=host, run_id=run_id, mark=mark))

    try:
        open_("host", "run")
    except ValidationError as error:
        raise PlanError(f"{name}: poll: {error.errors()[0]['msg']}") from error
    return KnownShop(open_, None, carries_reference=True)


def _module(path: Path) -> ModuleType:
    """Import a Python file under a name of its own; its folder can be imported from as well."""
    spec = importlib.util.spec_from_file_location(f"doorbuster_shop_{path.stem}", path)
    if spec is None or spec.loader is None or not path.is_file():
        raise PlanError(f"{path}: no such file; expected a Python file with a shop class")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    sys.path.insert(0, str(path.resolve().parent))
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise PlanError(f"{path}: {_place(error, path)}{error!r}") from error
    finally:
        sys.path.remove(str(path.resolve().parent))
    return module


def _place(error: BaseException, path: Path) -> str:
    """Return `line N: ` for where in the file it went wrong."""
    if isinstance(error, SyntaxError):
        return f"line {error.lineno}: "
    lines: list[int] = []
    trace: Any = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(path):
            lines.append(trace.tb_lineno)
        trace = trace.tb_next
    return f"line {lines[-1]}: " if lines else ""
