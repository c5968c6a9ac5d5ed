"""Kept connections: of one shopper, or shared by all of a process."""

from scenarios.deadlines import Deadlines
from scenarios.endpoint import Endpoint
from scenarios.outcome import Reply
from scenarios.wire import Connection


class Pool:
    """Kept connections by endpoint; the one used last is used first, so that idle ones can end."""

    def __init__(self, deadlines: Deadlines) -> None:
        self._deadlines = deadlines
        self._idle: dict[Endpoint, list[Connection]] = {}

    def exchange(self, endpoint: Endpoint, request: bytes) -> Reply:
        """Make an exchange on a connection that nobody else uses meanwhile."""
        idle = self._idle.get(endpoint)
        if idle is None:
            idle = self._idle[endpoint] = []
        connection = idle.pop() if idle else Connection(endpoint, self._deadlines)
        try:
            return connection.exchange(request)
        finally:
            idle.append(connection)

    def close(self) -> None:
        """Close the connections that nobody uses."""
        for connections in self._idle.values():
            for connection in connections:
                connection.close()
        self._idle.clear()
