"""Our client against servers that are older, do not do as they say, or are no Toxiproxy at all."""

import json
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import ClassVar

import pytest

from chaos.toxiproxy import ToxiproxyApi, ToxiproxyError

pytestmark = pytest.mark.integration


class OlderServer(BaseHTTPRequestHandler):
    """A Toxiproxy 2.5 as far as it differs: no PATCH, and a version that is not JSON.

    `deaf` makes it one that says yes and changes nothing.
    """

    deaf = False
    version = ""
    calls: ClassVar[list[str]] = []
    proxy: ClassVar[dict[str, object]] = {}

    def do_GET(self) -> None:
        if self.path == "/version":
            self.answer(200, self.version)
        else:
            self.answer(200, json.dumps(self.proxy))

    def do_PATCH(self) -> None:
        self.answer(405, "")

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.proxy.update({} if self.deaf else asked)
        self.answer(200, json.dumps(self.proxy))

    def answer(self, status: int, body: str) -> None:
        self.calls.append(self.command)
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@contextmanager
def older_server(
    *, deaf: bool = False, version: str = '{"version": 2.5.0}\n'
) -> Iterator[tuple[ToxiproxyApi, list[str]]]:
    calls: list[str] = []
    proxy = {"name": "shop", "enabled": True}
    members = {"deaf": deaf, "version": version, "calls": calls, "proxy": proxy}
    handler = type("Handler", (OlderServer,), members)
    with HTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            with closing(ToxiproxyApi(f"http://127.0.0.1:{server.server_port}")) as api:
                yield api, calls
        finally:
            server.shutdown()
            thread.join()


def test_server_that_does_not_know_patch_is_asked_by_post() -> None:
    with older_server() as (api, calls):
        api.disable("shop")
        api.enable("shop")
    assert calls == ["PATCH", "POST", "GET", "POST", "GET"]


def test_version_of_an_older_server_is_understood() -> None:
    with older_server() as (api, _):
        assert api.version() == "2.5.0"


def test_change_that_the_server_did_not_make_is_an_error() -> None:
    refused = pytest.raises(ToxiproxyError, match="enabled was set to False, and is True")
    with older_server(deaf=True) as (api, _), refused:
        api.disable("shop")


def test_what_is_no_toxiproxy_is_not_taken_for_one() -> None:
    refused = pytest.raises(ToxiproxyError, match="no Toxiproxy answers 'hello'")
    with older_server(version="hello") as (api, _), refused:
        api.version()
