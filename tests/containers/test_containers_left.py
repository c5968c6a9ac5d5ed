"""What a dead director leaves at the engine can be removed by anyone who knows the run's id."""

import uuid

import pytest

from doorbuster.stack.containers import remove_left_containers
from doorbuster.stack.containers.engine import RUN_LABEL, engine
from doorbuster.stack.containers.images import Images
from tests.containers.engine_here import names_with

pytestmark = [pytest.mark.containers, pytest.mark.timeout(1200)]


def leave(image: str, run_id: str) -> str:
    """Leave a running container, its network and its volume behind; return the volume's name."""
    labels = {RUN_LABEL: run_id}
    with engine() as client:
        client.networks.create(f"left-{run_id}", labels=labels)
        container = client.containers.run(
            image,
            entrypoint=["sleep", "300"],
            detach=True,
            labels=labels,
            name=f"left-{run_id}",
            network=f"left-{run_id}",
            mounts=[{"Target": "/kept", "Type": "volume"}],
        )
        (mount,) = [mount for mount in container.attrs["Mounts"] if mount["Type"] == "volume"]
        return str(mount["Name"])


def volumes() -> set[str]:
    with engine() as client:
        return {volume.name for volume in client.volumes.list()}


def test_all_of_the_run_goes_and_nothing_of_another(images: Images) -> None:
    run_id = f"test{uuid.uuid4().hex[:8]}"
    volume, other = leave(images.postgres, run_id), leave(images.postgres, f"{run_id}-2")
    try:
        remove_left_containers(run_id)
        assert volume not in volumes()
        assert other in volumes()
        assert set(names_with(run_id)) == {f"left-{run_id}-2"}
    finally:
        remove_left_containers(f"{run_id}-2")
    assert names_with(run_id) == []
    assert other not in volumes()


def test_a_run_that_left_nothing_is_fine(images: Images) -> None:
    remove_left_containers("test-never-was")
