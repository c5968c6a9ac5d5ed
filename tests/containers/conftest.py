"""What all tests here need: an engine that answers and the images of the stack."""

from collections.abc import Iterator

import pytest

from doorbuster.stack.containers.images import Images
from tests.containers.engine_here import as_environment, images_here, settings_of_engine


@pytest.fixture(scope="session")
def images() -> Iterator[Images]:
    """Yield the images to use; until the end, the environment names them and the engine."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in settings_of_engine().items():
            patch.setenv(name, value)
        found = images_here()
        for name, value in as_environment(found).items():
            patch.setenv(name, value)
        yield found
