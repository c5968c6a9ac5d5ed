"""How the suite is spread over processes, and what is given a second try.

Long waits come first, so that the other processes have the rest meanwhile; with `--dist loadfile`
each file stays with one of them, and starts what its tests share once. Tests of real processes on
a shared machine get a second try, which the closing summary names (`-rR`).
"""

from pathlib import Path
from typing import Final

import pytest

TESTS: Final = Path(__file__).parent
REHEARSING: Final = (
    "fault/test_director_",
    "fault/test_worker_killed",
    "smoke/",
    "integration/test_capacity_command",
    "integration/test_external_stack",
)
REAL: Final = ("conformance/", "containers/", "fault/", "integration/", "smoke/")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        name = item.path.relative_to(TESTS).as_posix()
        if name.startswith(REAL):
            item.add_marker(pytest.mark.flaky(reruns=1))
    items.sort(key=lambda item: _turn(item.path.relative_to(TESTS).as_posix()))


def _turn(name: str) -> int:
    """Long waits first, so that nothing long is left for the end; the quick ones last."""
    if name.startswith(REHEARSING):
        return 0
    if name.startswith("containers/"):
        return 1
    return 2 if name.startswith(REAL) else 3
