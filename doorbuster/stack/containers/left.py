"""What of a run is still at the Docker engine, and its end.

Anyone may do it who knows the run's id: the stack at its end, and whoever cleans up after a
director that died.
"""

from collections.abc import Collection
from typing import Any

from doorbuster.errors import LeftBehind
from doorbuster.stack.containers.engine import RUN_LABEL, NotFound, asked, engine


def remove_left_containers(run_id: str) -> None:
    """Remove the containers, networks and volumes of a run, running or not; see that they are gone.

    Raises:
        MissingPrerequisite: No engine answers, so nobody knows what is left.
        LeftBehind: Something would not go.
    """
    with engine() as client, asked(f"remove what is left of run {run_id}"):
        volumes = volumes_of(client, run_id)
        for container in containers_of(client, run_id):
            remove(container, v=True, force=True)
        for network in networks_of(client, run_id):
            remove(network)
        left = left_of(client, run_id, volumes=volumes)
    if left:
        raise LeftBehind(f"run {run_id} left behind: " + "; ".join(left))


def remove(thing: Any, **how: bool) -> None:
    try:
        thing.remove(**how)
    except NotFound:
        return  # Somebody else who cleans up was faster.


def left_of(client: Any, run_id: str, *, volumes: Collection[str]) -> list[str]:
    """Return one line for each thing of the run that is still there."""
    existing = {volume.name for volume in client.volumes.list()}
    return [
        *(f"container {c.attrs['Names'][0]}" for c in containers_of(client, run_id)),
        *(f"network {network.name}" for network in networks_of(client, run_id)),
        *(f"volume {name}" for name in sorted(existing & set(volumes))),
    ]


def containers_of(client: Any, run_id: str) -> list[Any]:
    # Without details: asking for those of a container that goes meanwhile fails.
    return list(client.containers.list(all=True, sparse=True, filters=labelled(run_id)))


def networks_of(client: Any, run_id: str) -> list[Any]:
    return list(client.networks.list(filters=labelled(run_id)))


def volumes_of(client: Any, run_id: str) -> set[str]:
    """Return the volumes that images asked for; they carry no label, only their containers do."""
    mounts = (mount for part in containers_of(client, run_id) for mount in part.attrs["Mounts"])
    return {mount["Name"] for mount in mounts if mount["Type"] == "volume"}


def labelled(run_id: str) -> dict[str, str]:
    return {"label": f"{RUN_LABEL}={run_id}"}
