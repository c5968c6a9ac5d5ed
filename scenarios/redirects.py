"""Redirects: where one leads, and what request goes there; who may be asked is not said here."""

import re
from typing import Final
from urllib.parse import SplitResult, quote, urljoin, urlsplit

from scenarios.endpoint import Endpoint
from scenarios.outcome import Answer, Reply

_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_SAME_REQUEST: Final = frozenset({307, 308})
_UNESCAPED: Final = "!#$%&'()*+,/:;=?@[]~"
_HOST: Final = re.compile(rb"\r\nHost:[^\r\n]*", re.IGNORECASE)
_OF_THE_CONTENT: Final = re.compile(
    rb"\r\n(?:Content-[A-Za-z-]+|Idempotency-Key|Transfer-Encoding):[^\r\n]*", re.IGNORECASE
)
_OF_THE_HOST: Final = re.compile(rb"\r\n(?:Authorization|Cookie):[^\r\n]*", re.IGNORECASE)


def location(reply: Reply) -> str | None:
    """Return where an answer redirects to, if it does."""
    if not isinstance(reply, Answer) or reply.status not in _REDIRECTS:
        return None
    return reply.header("location")


def path_of(request: bytes) -> str:
    """Return path and query of a request."""
    return request[: request.index(b"\r\n")].split(b" ")[1].decode("ascii")


def target(endpoint: Endpoint, request: bytes, where: str) -> SplitResult:
    """Return the absolute URL of a Location that answered `request`.

    Raises:
        ValueError: It is no URL, or leads out of HTTP or from TLS to plain text.
    """
    scheme = "https" if endpoint.tls is not None else "http"
    here = f"{scheme}://{endpoint.host_header}{path_of(request)}"
    url = urlsplit(urljoin(here, quote(where, safe=_UNESCAPED)))
    if url.scheme not in ("http", "https") or (scheme, url.scheme) == ("https", "http"):
        raise ValueError(f"redirect to {where!r}: expected {scheme}://")
    return url


def onward(request: bytes, status: int, url: SplitResult, *, same_host: bool) -> bytes:
    """Return the request that follows a redirect.

    As browsers do, 301, 302 and 303 are followed by a GET without content, and what was meant for
    one host only is not told to another.
    """
    head, _, content = request.partition(b"\r\n\r\n")
    line, _, _ = head.partition(b"\r\n")
    method = line.split(b" ")[0]
    headers = head[len(line) :]
    if status not in _SAME_REQUEST and method != b"HEAD":
        method, content = b"GET", b""
        headers = _OF_THE_CONTENT.sub(b"", headers)
    if not same_host:
        headers = _OF_THE_HOST.sub(b"", headers)
    host = url.netloc.rpartition("@")[2].encode("ascii")
    headers = _HOST.sub(lambda _: b"\r\nHost: " + host, headers, count=1)
    path = (url.path or "/") + (f"?{url.query}" if url.query else "")
    return b"%b %b HTTP/1.1%b\r\n\r\n%b" % (method, path.encode("ascii"), headers, content)
