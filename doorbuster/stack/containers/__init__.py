"""The containers stack: the topology of the embedded one, each part a container of its own."""

from doorbuster.stack.containers.left import remove_left_containers
from doorbuster.stack.containers.stack import containers

__all__ = ["containers", "remove_left_containers"]
