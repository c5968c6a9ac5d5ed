"""The HTTP client of one Locust user: when its requests begin, and that nothing of it stays."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Final

from locust.clients import HttpSession
from locust.contrib.fasthttp import FastHttpSession

_OURS: Final = (HttpSession, FastHttpSession)

Watching = Callable[[], AbstractContextManager[None]]
"""Opened around every request."""


def watch(user: Any, watching: Watching) -> None:
    """Have `watching` opened around every request of the user's `client`.

    Locust has an event for the end of a request only, so one that hangs would never be heard of.
    Clients of other kinds than HttpUser's and FastHttpUser's tell by their events alone.
    """
    client = getattr(user, "client", None)
    if not isinstance(client, _OURS):
        return
    send: Any = client.request

    def request(*arguments: Any, **options: Any) -> Any:
        with watching():
            return send(*arguments, **options)

    client.request = request  # type: ignore[method-assign]


def let_go(user: Any) -> None:
    """Close the user's connections, and let user and client not keep each other.

    A whole garbage collection is rare here, so until one came all of them would stay. What users
    share, a pool that their class names, stays open.
    """
    client = getattr(user, "client", None)
    if not isinstance(client, _OURS):
        return
    if isinstance(client, FastHttpSession) and user.client_pool is None:
        client.client.clientpool.close()
    elif isinstance(client, HttpSession) and user.pool_manager is None:
        client.close()
    client.user = None
    vars(client).pop("request", None)
