"""One server of each kind for the cases of a module."""

from collections.abc import Iterator

import pytest

from tests.conformance.comparing import Pair, documented
from tests.proxy_servers import running


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    # The real one first: without it there is nothing to compare, and the skip says so by name.
    with running("toxiproxy") as toxiproxy, running("embedded") as embedded:
        yield Pair(embedded, toxiproxy)


@pytest.fixture(scope="session")
def table() -> list[str]:
    return documented()
