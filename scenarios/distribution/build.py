"""Which version a process is of: workers that would draw other shoppers must not join."""

import hashlib
from functools import cache
from importlib import metadata
from pathlib import Path

import locust

PACKAGES = Path(__file__).parents[2]


@cache
def build() -> str:
    """Return the version with a digest of the sources, since a checkout changes between versions.

    Locust's version is part of it: a master and its workers have to speak the same protocol.
    """
    digest = hashlib.sha256()
    for package in ("doorbuster", "scenarios"):
        for source in sorted((PACKAGES / package).rglob("*")):
            if source.suffix in (".py", ".yaml"):
                digest.update(f"{source.relative_to(PACKAGES)}\0".encode() + source.read_bytes())
    version = metadata.version("doorbuster")
    return f"{version}+{digest.hexdigest()[:12]}, locust {locust.__version__}"
