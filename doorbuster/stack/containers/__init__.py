"""The containers stack: the topology of the embedded one, each part a container of its own."""

from doorbuster.stack.containers.left import remove_left_containers
from doorbuster.stack.containers.stack import ContainersOrder, containers

__all__ = ["ContainersOrder", "containers", "remove_left_containers"]
