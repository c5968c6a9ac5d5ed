"""What a container is made of, and its making."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from testcontainers.core.container import DockerContainer
from testcontainers.core.network import Network

from doorbuster.components import RUN_MARK
from doorbuster.stack.containers.engine import RUN_LABEL
from doorbuster.stack.ports import LOOPBACK
from doorbuster.stack.ready import Probe

NAMES_STAY_HERE = "ndots:1"
"""Said out loud, this keeps the engine from asking the world for a name without a dot.

So the name of a part that is gone has no answer at once. Otherwise a proxy's connections to it
wait for one, and a Toxiproxy cannot be told to close them meanwhile.
"""


@dataclass(frozen=True)
class Service:
    """What a container is made of.

    Args:
        ports: Which port on loopback leads to which port of the container; the first one is the
            component's address. They are ours to choose: the engine would choose others with each
            start, and a component that was restarted has to be where it was.
        aliases: Further names that the other containers reach it by.
        words: The arguments of the image's program, or of `entrypoint`.
        keeps_address: Whether its address is still there when it has been killed, as a machine is
            whose server has died: it refuses connections. Without, nobody answers for seconds, and
            a Toxiproxy that waits for that cannot be told to close what waits.
    """

    name: str
    image: str
    ports: Mapping[int, int]
    ready: Probe
    environment: Mapping[str, str] = field(default_factory=dict)
    aliases: tuple[str, ...] = ()
    entrypoint: tuple[str, ...] | None = None
    words: tuple[str, ...] | None = None
    keeps_address: bool = False


@dataclass(frozen=True)
class Place:
    """Where the containers of a run are, and their output."""

    run_id: str
    network: Network
    logs: Path

    def labels(self) -> dict[str, str]:
        return {RUN_LABEL: self.run_id}


def containers_for(service: Service, place: Place) -> Iterator[DockerContainer]:
    """Yield what is to be started, one after the other; the last one is the service itself."""
    container = DockerContainer(service.image)
    if not service.keeps_address:
        with_address(container, service, place, entrypoint=service.entrypoint)
    else:
        address = DockerContainer(service.image)
        address.with_name(f"{name_of(service, place)}-address")
        with_address(address, service, place, entrypoint=("sleep", "infinity"))
        yield address
        container.with_kwargs(
            labels=place.labels(),
            entrypoint=service.entrypoint,
            network=None,
            network_mode=f"container:{address.get_wrapped_container().id}",
        )
    container.with_name(name_of(service, place))
    container.with_envs(**service.environment, **{RUN_MARK: place.run_id})
    if service.words is not None:
        container.with_command(list(service.words))
    yield container


def with_address(
    container: DockerContainer,
    service: Service,
    place: Place,
    *,
    entrypoint: tuple[str, ...] | None,
) -> None:
    """Give a container the service's names, and its ports, which loopback alone reaches."""
    container.with_network(place.network).with_network_aliases(service.name, *service.aliases)
    container.with_kwargs(labels=place.labels(), entrypoint=entrypoint, dns_opt=[NAMES_STAY_HERE])
    # Its own way of naming a port of the host means that port on every interface.
    published: dict[str, Any] = {
        f"{inside}/tcp": (LOOPBACK, outside) for outside, inside in service.ports.items()
    }
    container.ports = published


def name_of(service: Service, place: Place) -> str:
    return f"doorbuster-{place.run_id}-{service.name}"
