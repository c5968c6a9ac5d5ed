"""The API of Toxiproxy: what each method on each path does and answers."""

import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from urllib.parse import unquote

from chaos.proxy.body import parse_array, parse_object
from chaos.proxy.errors import ApiError
from chaos.proxy.messages import (
    JSON,
    Answer,
    Request,
    json_answer,
    plain_answer,
    refusal,
    refused,
)
from chaos.proxy.proxies import Proxies
from chaos.proxy.proxy import Proxy
from chaos.proxy.toxic import Toxic

VERSION = "2.12.0+doorbuster"
"""The Toxiproxy whose API this is; what follows the plus says that it is not that one."""

Handler = Callable[[Request], Awaitable[Answer]]


class Api:
    """Routes requests to the proxies. `*` in a path stands for one name."""

    def __init__(self, proxies: Proxies) -> None:
        self._proxies = proxies
        self._routes: dict[str, dict[str, Handler]] = {
            "/version": {"GET": self._version},
            "/reset": {"POST": self._reset},
            "/populate": {"POST": self._populate},
            "/proxies": {"GET": self._list, "POST": self._create},
            "/proxies/*": {
                "GET": self._show,
                "PATCH": self._update,
                "POST": self._update,
                "DELETE": self._delete,
            },
            "/proxies/*/toxics": {"GET": self._list_toxics, "POST": self._add_toxic},
            "/proxies/*/toxics/*": {
                "GET": self._show_toxic,
                "PATCH": self._update_toxic,
                "POST": self._update_toxic,
                "DELETE": self._remove_toxic,
            },
        }

    async def answer(self, request: Request) -> Answer:
        """Answer a request; what cannot be done is an answer too."""
        handlers, names = self._route(request.path)
        if handlers is None:
            return plain_answer(404, "404 page not found")
        if request.method not in handlers:
            return Answer(405)
        answer = await _ask(handlers[request.method], replace(request, names=names))
        # As long as Toxiproxy's own.
        request_id = {"X-Toxiproxy-Request-Id": secrets.token_hex(10)}
        return replace(answer, headers={**answer.headers, **request_id})

    def _route(self, path: str) -> tuple[dict[str, Handler] | None, tuple[str, ...]]:
        """Return the handlers by method of a path, if it has any, and the names in it."""
        segments = unquote(path.partition("?")[0]).split("/")
        for pattern, handlers in self._routes.items():
            names = _match(pattern.split("/"), segments)
            if names is not None:
                return handlers, names
        return None, ()

    async def _version(self, _: Request) -> Answer:
        body = f'{{"version": "{VERSION}"}}\n'.encode()
        return Answer(200, body, {"Content-Type": f"{JSON};charset=utf-8"})

    async def _reset(self, _: Request) -> Answer:
        await self._proxies.reset()
        return Answer(204)

    async def _populate(self, request: Request) -> Answer:
        applied: list[Proxy] = []
        status, told = 201, {}
        try:
            await self._proxies.populate(parse_array(request.body), applied)
        except ApiError as error:
            status, told = error.status, refused(error)
        proxies = [proxy.as_json() for proxy in applied] or None
        return json_answer(status, {**told, "proxies": proxies})

    async def _list(self, _: Request) -> Answer:
        return json_answer(200, {proxy.name: proxy.as_json() for proxy in self._proxies})

    async def _create(self, request: Request) -> Answer:
        proxy = await self._proxies.create(parse_object(request.body))
        return json_answer(201, proxy.as_json())

    async def _show(self, request: Request) -> Answer:
        return json_answer(200, self._proxy(request).as_json())

    async def _update(self, request: Request) -> Answer:
        name = self._proxy(request).name
        proxy = await self._proxies.update(name, parse_object(request.body))
        return json_answer(200, proxy.as_json())

    async def _delete(self, request: Request) -> Answer:
        await self._proxies.delete(request.names[0])
        return Answer(204)

    async def _list_toxics(self, request: Request) -> Answer:
        return json_answer(200, [toxic.as_json() for toxic in self._proxy(request).toxics])

    async def _add_toxic(self, request: Request) -> Answer:
        proxy = self._proxy(request)
        taken = {toxic.name for toxic in proxy.toxics}
        toxic = Toxic.parse(parse_object(request.body), taken=taken)
        proxy.add_toxic(toxic)
        return json_answer(200, toxic.as_json())

    async def _show_toxic(self, request: Request) -> Answer:
        return json_answer(200, self._toxic(request).as_json())

    async def _update_toxic(self, request: Request) -> Answer:
        toxic = self._toxic(request).updated(parse_object(request.body))
        self._proxy(request).update_toxic(toxic)
        return json_answer(200, toxic.as_json())

    async def _remove_toxic(self, request: Request) -> Answer:
        self._proxy(request).remove_toxic(self._toxic(request))
        return Answer(204)

    def _proxy(self, request: Request) -> Proxy:
        return self._proxies.get(request.names[0])

    def _toxic(self, request: Request) -> Toxic:
        return self._proxy(request).toxic(request.names[1])


async def _ask(handler: Handler, request: Request) -> Answer:
    # A page that somebody reads in a browser must not be able to break their machine.
    if request.user_agent.startswith("Mozilla/"):
        return plain_answer(403, "User agent not allowed")
    try:
        return await handler(request)
    except ApiError as error:
        return refusal(error)


def _match(pattern: Sequence[str], segments: Sequence[str]) -> tuple[str, ...] | None:
    """Return the names in a path that has this pattern, or None if it has not."""
    if len(pattern) != len(segments):
        return None
    names = []
    for expected, segment in zip(pattern, segments, strict=True):
        if expected == "*" and segment:
            names.append(segment)
        elif expected != segment:
            return None
    return tuple(names)
