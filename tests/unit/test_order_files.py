"""The files that an order names: found, bounded, handed over in pieces, and named anew."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from doorbuster.cli.traffic import Elsewhere, job, require_sendable
from doorbuster.errors import DoorbusterError, PlanError
from scenarios import order_files
from scenarios.distribution import enclosures
from scenarios.distribution.enclosures import Enclosures, unpack
from scenarios.imports import imported_beside
from scenarios.order import CrewOrder, TrafficOrder, decoded
from scenarios.order_files import Enclosed, enclosed_by, moved
from tests.fakes import plan_of

NAMED = ("shop.py", "users.csv", "users.py", "ca.pem")


def order_in(folder: str) -> TrafficOrder:
    """Return an order that names a file of every kind; two are called users."""
    traffic = {
        "ca_file": f"{folder}ca.pem",
        "locustfile": f"{folder}users.py",
        "data": {"users": f"{folder}users.csv", "take": "cycle", "rows": 1},
        "arrivals": [{"phase": "baseline", "series": {"counts": [1]}}],
    }
    return TrafficOrder("r", "d", {"name": "p", "traffic": traffic}, "u", f"{folder}shop.py:Shop")


@pytest.fixture
def files(tmp_path: Path) -> Path:
    folder = tmp_path / "there"
    folder.mkdir()
    for name in NAMED:
        (folder / name).write_text(f"what {name} says")
    return folder


def test_every_path_is_moved_and_nothing_else() -> None:
    order = order_in("a/")
    assert moved(order, lambda path: path.replace("a/", "b/")) == order_in("b/")
    assert order == order_in("a/")
    plain = replace(order, adapter=None, plan={"traffic": {}})
    assert moved(plain, lambda _path: "never") == plain
    assert moved(replace(plain, adapter="x.yaml"), str.upper).adapter == "X.YAML"


def test_files_come_whole_whatever_the_pieces(
    files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(enclosures, "PIECE_BYTES", 5)
    order = order_in(f"{files}/")
    held = Enclosures(order)
    for name in NAMED:
        (files / name).unlink()
    asked: list[int] = []

    def fetch(number: int, offset: int) -> bytes:
        asked.append(number)
        return held.piece(number, offset)

    found = unpack(held.listed, order, into=tmp_path, fetch=fetch)
    assert len(asked) > 2 * len(NAMED)
    path, _, name = str(found.adapter).rpartition(":")
    assert (Path(path).name, name) == ("shop.py", "Shop")
    traffic = found.plan["traffic"]
    paths = [path, traffic["data"]["users"], traffic["locustfile"], traffic["ca_file"]]
    assert all(Path(path).is_relative_to(tmp_path) for path in paths)
    assert [Path(path).read_text() for path in paths] == [f"what {name} says" for name in NAMED]


def test_modules_beside_come_along_and_can_be_imported(files: Path, tmp_path: Path) -> None:
    modules = {
        "shop.py": "import signing, json\nfrom prices.parts import PRICE\nclass Shop:\n"
        "    sku = signing.signed(PRICE)\n    def view(self): ...\n    def reserve(self): ...\n",
        "signing.py": "import codes.inner\nfrom scenarios import shops\n"
        "def signed(text): return codes.inner.CODE + text\n",
        "codes/inner.py": "CODE = 'c-'\n",
        "prices/__init__.py": "",
        "prices/parts.py": "from . import numbers_\nPRICE = numbers_.NUMBER\n",
        "prices/numbers_.py": "NUMBER = '99'\n",
        "scenarios/shops.py": "raise AssertionError('not ours')\n",
        "unused.py": "",
    }
    for name, text in modules.items():
        (files / name).parent.mkdir(exist_ok=True)
        (files / name).write_text(text)
    order = TrafficOrder("r", "d", {"traffic": {}}, "u", f"{files}/shop.py:Shop")
    held = Enclosures(order)
    handed = {Path(file.path).relative_to(files).as_posix() for file in held.listed}
    assert handed == modules.keys() - {"scenarios/shops.py", "unused.py"}
    for name in modules:
        (files / name).unlink()
    found = unpack(held.listed, order, into=tmp_path / "here", fetch=held.piece)
    adapter = Path(str(found.adapter).rpartition(":")[0])
    assert adapter.is_relative_to(tmp_path / "here")
    code = "import shop; print(shop.Shop.sku)"
    said = subprocess.check_output((sys.executable, "-c", code), cwd=adapter.parent, timeout=60)
    assert said == b"c-99\n"


@pytest.mark.parametrize("text", ["import (", "\0"])
def test_a_file_that_is_no_python_imports_nothing(text: str, tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(text)
    assert imported_beside(tmp_path / "shop.py") == []
    assert imported_beside(tmp_path / "none.py") == []


def test_a_module_stays_in_the_folder_of_what_imports_it(tmp_path: Path) -> None:
    order = TrafficOrder("r", "d", {"traffic": {}}, "u", "a/shop.py:Shop")
    enclosed = [Enclosed("a/shop.py", 1), Enclosed("a/../../x.py", 1, beside="a/shop.py")]
    with pytest.raises(DoorbusterError, match=r"expected a file beside a/shop\.py"):
        unpack(enclosed, order, into=tmp_path, fetch=lambda *_: b"x")


def test_a_file_that_breaks_off_is_not_used(tmp_path: Path) -> None:
    with pytest.raises(DoorbusterError, match=r"x\.yaml broke off after 3 bytes"):
        unpack(
            [Enclosed("x.yaml", 4)],
            order_in(""),
            into=tmp_path,
            fetch=lambda _number, offset: b"abc"[offset:],
        )


def test_a_name_stays_within_the_worker_s_folder(tmp_path: Path) -> None:
    order = TrafficOrder("r", "d", {"traffic": {}}, "u", "../../shop.yaml")
    found = unpack([Enclosed("../../shop.yaml", 1)], order, into=tmp_path, fetch=lambda *_: b"x")
    assert Path(str(found.adapter)).resolve().is_relative_to(tmp_path)


Measure = Callable[[TrafficOrder, Path], object]
WAYS: dict[str, Measure] = {
    "by the director": lambda order, _: enclosed_by(order),
    "by the master": lambda order, _: Enclosures(order),
    "by the worker": lambda order, folder: unpack(
        [Enclosed(str(order.adapter), 51)], order, into=folder, fetch=lambda *_: b"x" * 51
    ),
}


@pytest.mark.parametrize("way", WAYS)
def test_too_much_is_refused(
    way: str, files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(order_files, "ENCLOSED_BYTES_MAX", 50)
    (files / "shop.py").write_text("x" * 51)
    with pytest.raises(PlanError, match=r"shop\.py\S* alone to 51: .* handed at most 50"):
        WAYS[way](order_in(f"{files}/"), tmp_path)


def test_what_cannot_be_handed_over_is_refused_before_a_stack_starts(tmp_path: Path) -> None:
    plan = plan_of().model_copy(update={"shop": str(tmp_path / "none.yaml")})
    require_sendable(None, plan)
    with pytest.raises(PlanError, match=r"none\.yaml.*expected a file for the workers"):
        require_sendable(Elsewhere("127.0.0.1", 1), plan)


def test_the_generator_finds_what_is_named_beside_our_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its processes have working folders of their own."""
    monkeypatch.chdir(tmp_path)
    made = job(order_in(""), plan_of(), None)
    assert decoded(made.order, TrafficOrder) == order_in(f"{tmp_path}/")
    made = job(order_in(""), plan_of(), Elsewhere("127.0.0.1", 1))
    assert decoded(made.order, CrewOrder).order.adapter == str(tmp_path / "shop.py:Shop")
