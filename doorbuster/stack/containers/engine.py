"""The Docker engine: how it is reached, and its refusals as one sentence each."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from docker.errors import DockerException, NotFound  # type: ignore[import-untyped]
from testcontainers.core.docker_client import DockerClient

from doorbuster.errors import DoorbusterError, MissingPrerequisite

ENGINE_ERRORS = (DockerException, OSError)
"""What a refusal, and an engine that has gone meanwhile, are raised as."""

RUN_LABEL = "doorbuster.run"
"""What every container and network of a run is labelled with; the value is the run's id."""

__all__ = ["ENGINE_ERRORS", "RUN_LABEL", "NotFound", "asked", "engine"]


@contextmanager
def engine() -> Iterator[Any]:
    """Yield a client of the engine that answers here."""
    try:
        client = DockerClient().client
        client.ping()
    except ENGINE_ERRORS as error:
        raise MissingPrerequisite(
            f"no Docker engine answers ({error}): start one, set DOCKER_HOST to where it is, "
            f"or choose `stack: embedded`"
        ) from None
    try:
        yield client
    finally:
        client.close()


@contextmanager
def asked(what: str) -> Iterator[None]:
    """Name what the engine was asked for when it says no."""
    try:
        yield
    except ENGINE_ERRORS as error:
        raise DoorbusterError(f"the Docker engine did not {what}: {error}") from error
