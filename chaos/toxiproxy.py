"""The client of a Toxiproxy server, on toxiproxy-python with its gaps closed.

The library keeps its host in a class, waits for ever, lets 5xx and 403 through and obeys
HTTP_PROXY. Here its requests go over a session of the client in use, with a timeout and no proxy
from the environment, and whatever is not a success is a `ToxiproxyError` with the server's words.

    DoorbusterError
    └── ToxiproxyError     the server refused or did not answer
        └── NotFound       it has no such proxy or toxic
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Any, Literal, NotRequired, TypedDict, Unpack
from urllib.parse import quote

import httpx
import toxiproxy.proxy
import toxiproxy.server
from toxiproxy.api import APIConsumer

from doorbuster.errors import DoorbusterError


class ToxicMembers(TypedDict):
    """A toxic in Toxiproxy's words: downstream and on every connection unless it says otherwise."""

    name: str
    type: str
    attributes: Mapping[str, int]
    stream: NotRequired[Literal["upstream", "downstream"]]
    toxicity: NotRequired[float]


class ToxiproxyError(DoorbusterError):
    """Toxiproxy refused or did not answer; the message has the call, its status and its words."""

    def __init__(self, message: str, *, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status
        """The HTTP status, or None if there was no answer."""


class NotFound(ToxiproxyError):
    """Toxiproxy has no such proxy or toxic."""


_session_in_use: ContextVar[httpx.Client] = ContextVar("toxiproxy_session")


class SessionConsumer(APIConsumer):  # type: ignore[misc]  # the library has no types
    """The library's way to the server, over the session of the client that is calling it."""

    @classmethod
    def get(cls, url: str, params: Any = None, **options: Any) -> httpx.Response:
        return _send("GET", url, params=params, **options)

    @classmethod
    def post(cls, url: str, data: Any = None, json: Any = None, **options: Any) -> httpx.Response:
        return _send("POST", url, data=data, json=json, **options)

    @classmethod
    def delete(cls, url: str, **options: Any) -> httpx.Response:
        return _send("DELETE", url, **options)


# The library's classes look their consumer up here, by name.
toxiproxy.server.APIConsumer = SessionConsumer
toxiproxy.proxy.APIConsumer = SessionConsumer


class ToxiproxyApi:
    """One Toxiproxy server. It may be shared, so nothing here acts on all of its proxies."""

    def __init__(self, url: str, timeout_s: float = 5.0) -> None:
        self.url = url.rstrip("/")
        self._session = httpx.Client(base_url=self.url, timeout=timeout_s, trust_env=False)
        self._server = toxiproxy.server.Toxiproxy()

    def close(self) -> None:
        self._session.close()

    def version(self) -> str:
        """Return the server's version, which is "git" for one that somebody built themselves."""
        with self._in_use():
            return str(SessionConsumer.get("/version").json()["version"])

    def create(self, name: str, *, listen: str, upstream: str) -> str:
        """Create a proxy and return the address it listens on, with the port it was given."""
        with self._in_use():
            body = {"name": name, "listen": listen, "upstream": upstream}
            # The library asks for all proxies first, and would raise its own error for a 409.
            return str(SessionConsumer.post("/proxies", json=body).json()["listen"])

    def delete(self, name: str) -> None:
        """Delete a proxy and close its connections; one that is gone already is fine."""
        with self._in_use(), suppress(NotFound):
            _proxy(name).destroy()

    def recreate(self, name: str) -> None:
        """Delete a proxy and create it as it was, enabled and without its toxics."""
        with self._in_use():
            path = f"/proxies/{quote(name, safe='')}"
            was = SessionConsumer.get(path).json()
            SessionConsumer.delete(path)
            body = {key: was[key] for key in ("name", "listen", "upstream")}
            SessionConsumer.post("/proxies", json=body)

    def point(self, name: str, *, upstream: str) -> None:
        """Let a proxy lead elsewhere; its connections are closed."""
        with self._in_use():
            SessionConsumer.post(f"/proxies/{quote(name, safe='')}", json={"upstream": upstream})

    def names(self) -> list[str]:
        """Return the names of all proxies on the server, ours or not."""
        with self._in_use():
            return sorted(self._server.proxies())

    def enable(self, name: str) -> None:
        with self._in_use():
            _proxy(name).enable()

    def disable(self, name: str) -> None:
        """Refuse connections and close the open ones."""
        with self._in_use():
            _proxy(name).disable()

    def add_toxic(self, proxy: str, **toxic: Unpack[ToxicMembers]) -> None:
        """Add a toxic; it acts on open connections too when this returns."""
        with self._in_use():
            _proxy(proxy).add_toxic(**toxic)

    def remove_toxic(self, proxy: str, name: str) -> None:
        """Remove a toxic; one that is gone already is fine, also together with its proxy."""
        with self._in_use(), suppress(NotFound):
            _proxy(proxy).destroy_toxic(quote(name, safe=""))

    def toxics(self, proxy: str) -> list[dict[str, Any]]:
        """Return the toxics of a proxy as the server describes them, in its order."""
        with self._in_use():
            return list(SessionConsumer.get(f"/proxies/{quote(proxy, safe='')}/toxics").json())

    @contextmanager
    def _in_use(self) -> Iterator[None]:
        token = _session_in_use.set(self._session)
        try:
            yield
        finally:
            _session_in_use.reset(token)


def _proxy(name: str) -> Any:
    """Return the library's handle of a proxy; its methods use nothing but the name."""
    return toxiproxy.proxy.Proxy(
        name=quote(name, safe=""), listen=None, upstream=None, enabled=None
    )


def _send(method: str, path: str, **options: Any) -> httpx.Response:
    session = _session_in_use.get()
    call = f"{method} {session.base_url.join(path)}"
    try:
        response = session.request(method, path, **options)
    except httpx.HTTPError as error:
        raise ToxiproxyError(f"{call}: {error or type(error).__name__}") from error
    if response.is_success:
        return response
    words = response.text.strip()
    # A 404 in plain text is a path it does not know, so nothing is known about the toxic.
    absent = response.status_code == 404 and words.startswith("{")
    kind = NotFound if absent else ToxiproxyError
    raise kind(f"{call}: {response.status_code} {words}", status=response.status_code)
