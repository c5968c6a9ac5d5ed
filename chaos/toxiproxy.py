"""The client of a Toxiproxy server, on toxiproxy-python with its gaps closed.

The library keeps its host in a class, waits for ever, lets 5xx and 403 through and obeys
HTTP_PROXY. Here its requests go over a session of the client in use, with a timeout and no proxy
from the environment, whatever is not a success is a `ToxiproxyError` with the server's words, and
every change is looked at afterwards: what the server then shows must be what was asked for.
"""

import math
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Any, Literal, NotRequired, TypedDict, Unpack
from urllib.parse import quote

import httpx
import toxiproxy.proxy
from toxiproxy.api import APIConsumer

from doorbuster.errors import NotFound, ToxiproxyError, said_by

__all__ = ["NotFound", "ToxiproxyApi", "ToxiproxyError"]

UNKNOWN_METHOD = 405


class ToxicMembers(TypedDict):
    """A toxic in Toxiproxy's words: downstream and on every connection unless it says otherwise."""

    name: str
    type: str
    attributes: Mapping[str, int]
    stream: NotRequired[Literal["upstream", "downstream"]]
    toxicity: NotRequired[float]


class ProxyMembers(TypedDict, total=False):
    """What can be changed about a proxy."""

    listen: str
    upstream: str
    enabled: bool


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
    def patch(cls, url: str, json: Any) -> httpx.Response:
        return _send("PATCH", url, json=json)

    @classmethod
    def delete(cls, url: str, **options: Any) -> httpx.Response:
        return _send("DELETE", url, **options)


# The library's class looks its consumer up here, by name.
toxiproxy.proxy.APIConsumer = SessionConsumer


class ToxiproxyApi:
    """One Toxiproxy server, from 2.5 on. It may be shared: nothing here acts on all its proxies.

    Args:
        url: Where its API is.
        timeout_s: How long to wait for an answer.
        owner: What the names of proxies that may be changed begin with; others are only looked at.
    """

    def __init__(self, url: str, timeout_s: float = 5.0, *, owner: str = "") -> None:
        self.url = url.rstrip("/")
        self._owner = owner
        self._session = httpx.Client(base_url=self.url, timeout=timeout_s, trust_env=False)
        self._knows_patch = True

    def close(self) -> None:
        self._session.close()

    def version(self) -> str:
        """Return the server's version, which is "git" for one that somebody built themselves."""
        with self._in_use():
            answer = SessionConsumer.get("/version")
        # Before 2.7 it is not JSON: the version stands there without quotes.
        found = re.fullmatch(r'\{"version": ?"?([^"}]+)"?\}\s*', answer.text)
        if found is None:
            raise _no_toxiproxy(answer)
        return found[1]

    def create(self, name: str, *, listen: str, upstream: str) -> str:
        """Create a proxy and return the address it listens on, with the port it was given."""
        with self._changing(name):
            body = {"name": name, "listen": listen, "upstream": upstream}
            # The library asks for all proxies first, and would raise its own error for a 409.
            made = _members(SessionConsumer.post("/proxies", json=body), "listen")
            self._require_shown(name, {"upstream": upstream, "enabled": True})
            return str(made["listen"])

    def delete(self, name: str) -> None:
        """Delete a proxy and close its connections; one that is gone already is fine."""
        with self._changing(name), suppress(NotFound):
            _proxy(name).destroy()
            self._require_gone(_path(name))

    def recreate(self, name: str) -> None:
        """Delete a proxy and create it as it was, enabled and without its toxics."""
        with self._in_use():
            path = f"/proxies/{quote(name, safe='')}"
            was = _members(SessionConsumer.get(path), "name", "listen", "upstream")
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
            return sorted(_members(SessionConsumer.get("/proxies")))

    def enable(self, name: str) -> None:
        self.update(name, enabled=True)

    def disable(self, name: str) -> None:
        """Refuse connections and close the open ones."""
        self.update(name, enabled=False)

    def update(self, name: str, **members: Unpack[ProxyMembers]) -> None:
        """Switch or move a proxy; moving closes its connections and keeps its toxics."""
        with self._changing(name):
            self._patch(_path(name), members)
            # The address is shown as it was resolved, so it is not compared.
            self._require_shown(name, {k: v for k, v in members.items() if k != "listen"})

    def add_toxic(self, proxy: str, **toxic: Unpack[ToxicMembers]) -> None:
        """Add a toxic; it acts on open connections too when this returns."""
        with self._changing(proxy):
            _proxy(proxy).add_toxic(**toxic)
            self._require_toxic(proxy, toxic["name"], toxic)

    def update_toxic(
        self,
        proxy: str,
        name: str,
        *,
        attributes: Mapping[str, int],
        toxicity: float | None = None,
    ) -> None:
        """Change attributes of a toxic that is there; those not given stay as they are."""
        share = {} if toxicity is None else {"toxicity": toxicity}
        body = {"attributes": attributes, **share}
        with self._changing(proxy):
            self._patch(_path(proxy, name), body)
            self._require_toxic(proxy, name, body)

    def remove_toxic(self, proxy: str, name: str) -> None:
        """Remove a toxic; one that is gone already is fine, also together with its proxy."""
        with self._changing(proxy), suppress(NotFound):
            _proxy(proxy).destroy_toxic(quote(name, safe=""))
            self._require_gone(_path(proxy, name))

    def toxics(self, proxy: str) -> list[dict[str, Any]]:
        """Return the toxics of a proxy as the server describes them, in its order."""
        with self._in_use():
            answer = SessionConsumer.get(f"{_path(proxy)}/toxics")
            shown = _json(answer)
            if not isinstance(shown, list) or not all(map(_is_toxic, shown)):
                raise _no_toxiproxy(answer)
            return shown

    @contextmanager
    def _in_use(self) -> Iterator[None]:
        token = _session_in_use.set(self._session)
        try:
            yield
        finally:
            _session_in_use.reset(token)

    @contextmanager
    def _changing(self, proxy: str) -> Iterator[None]:
        """Insist that the proxy is one of ours."""
        if not proxy.startswith(self._owner):
            raise ToxiproxyError(
                f"{self.url}: proxy {proxy!r} is not ours to change (ours begin with {self._owner})"
            )
        with self._in_use():
            yield

    def _patch(self, path: str, body: Mapping[str, object]) -> None:
        if self._knows_patch:
            try:
                SessionConsumer.patch(path, json=body)
            except ToxiproxyError as error:
                if error.status != UNKNOWN_METHOD:
                    raise
                # Servers before 2.6 take POST for it, which later ones warn about.
                self._knows_patch = False
            else:
                return
        SessionConsumer.post(path, json=body)

    def _require_shown(self, proxy: str, asked: Mapping[str, object]) -> None:
        path = _path(proxy)
        _require_same(f"{self.url}{path}", asked, _members(SessionConsumer.get(path)))

    def _require_toxic(self, proxy: str, name: str, asked: Mapping[str, Any]) -> None:
        # From the list: a name with a slash has no path.
        shown = next((toxic for toxic in self.toxics(proxy) if toxic["name"] == name), {})
        what = f"{self.url}{_path(proxy)}: toxic {name!r}"
        _require_same(what, {k: v for k, v in asked.items() if k != "attributes"}, shown)
        _require_same(what, asked["attributes"], shown.get("attributes", {}))

    def _require_gone(self, path: str) -> None:
        with suppress(NotFound):
            shown = SessionConsumer.get(path).text
            raise ToxiproxyError(f"{self.url}{path} was deleted and is still there: {shown}")


def _proxy(name: str) -> Any:
    """Return the library's handle of a proxy; its methods use nothing but the name."""
    return toxiproxy.proxy.Proxy(
        name=quote(name, safe=""), listen=None, upstream=None, enabled=None
    )


def _path(proxy: str, toxic: str | None = None) -> str:
    path = f"/proxies/{quote(proxy, safe='')}"
    return path if toxic is None else f"{path}/toxics/{quote(toxic, safe='')}"


def _members(answer: httpx.Response, *names: str) -> dict[str, Any]:
    """Return the object that the server answered; whatever listens there may be no Toxiproxy."""
    shown = _json(answer)
    if not isinstance(shown, dict) or not shown.keys() >= set(names):
        raise _no_toxiproxy(answer)
    return shown


def _json(answer: httpx.Response) -> object:
    try:
        return answer.json()
    except ValueError as error:
        raise _no_toxiproxy(answer) from error


def _is_toxic(shown: object) -> bool:
    return isinstance(shown, dict) and shown.keys() >= {"name", "type"}


def _no_toxiproxy(answer: httpx.Response) -> ToxiproxyError:
    asked = answer.request
    return ToxiproxyError(f"{asked.method} {asked.url}: no Toxiproxy answers {answer.text[:80]!r}")


def _require_same(what: str, asked: Mapping[str, object], shown: Mapping[str, object]) -> None:
    """Fail unless the server shows every member as it was asked for."""
    for member, value in asked.items():
        if not _is_same(value, shown.get(member)):
            raise ToxiproxyError(
                f"{what}: {member} was set to {value!r}, and is {shown.get(member)!r}"
            )


def _is_same(asked: object, shown: object) -> bool:
    if isinstance(asked, float) and isinstance(shown, int | float):
        # The server keeps single precision.
        return math.isclose(asked, shown, rel_tol=1e-6)
    return asked == shown


def _send(method: str, path: str, **options: Any) -> httpx.Response:
    session = _session_in_use.get()
    call = f"{method} {session.base_url.join(path)}"
    try:
        response = session.request(method, path, **options)
    except httpx.HTTPError as error:
        raise ToxiproxyError(f"{call}: {said_by(error)}") from error
    if response.is_success:
        return response
    words = response.text.strip()
    # A 404 in plain text is a path it does not know, so nothing is known about the toxic.
    absent = response.status_code == 404 and words.startswith("{")
    kind = NotFound if absent else ToxiproxyError
    raise kind(f"{call}: {response.status_code} {words}", status=response.status_code)
