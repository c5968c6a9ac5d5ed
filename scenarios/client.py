"""One shopper's HTTP client: cookies and redirects over kept connections."""

from urllib.parse import urlsplit

from msgspec.structs import replace

from doorbuster.errors import MissingPrerequisite, PlanError
from scenarios import redirects
from scenarios.cookies import CookieJar
from scenarios.endpoint import Endpoint, Hosts
from scenarios.outcome import Answer, NoAnswer, Reply
from scenarios.pool import Pool


class Client:
    """Speaks to the shop for one shopper; `exchange` is all that a session needs.

    Args:
        shop: Where requests go.
        hosts: Where redirects may lead.
        pool: The connections, this shopper's own or shared with others; whoever made it closes it.
        redirects: How many redirects are followed before an answer counts; with 0 a redirect is an
            answer like any other.
    """

    __slots__ = ("_cookies", "_hosts", "_pool", "_redirects", "_shop")

    def __init__(self, shop: Endpoint, hosts: Hosts, pool: Pool, *, redirects: int = 0) -> None:
        self._shop = shop
        self._hosts = hosts
        self._pool = pool
        self._redirects = redirects
        self._cookies: CookieJar | None = None

    def exchange(self, request: bytes) -> Reply:
        """Send a request and return its answer, or why and after which bytes there is none.

        A redirect that leads off the allow-list, nowhere or on and on is `redirect_refused`.
        """
        reply = self._once(self._shop, request)
        if self._redirects and redirects.location(reply) is not None:
            return self._follow(request, reply)
        return reply

    def _follow(self, request: bytes, reply: Reply) -> Reply:
        endpoint, first_sent_s = self._shop, reply.sent_s
        for _ in range(self._redirects):
            location = redirects.location(reply)
            if location is None:
                return replace(reply, sent_s=first_sent_s)
            assert isinstance(reply, Answer)
            try:
                url = redirects.target(endpoint, request, location)
                onward = self._hosts.endpoint(url)
            except (ValueError, PlanError, MissingPrerequisite):
                break
            request = redirects.onward(request, reply.status, url, same_host=onward is endpoint)
            endpoint = onward
            reply = self._once(endpoint, request)
        else:
            if redirects.location(reply) is None:
                return replace(reply, sent_s=first_sent_s)
        return NoAnswer("redirect_refused", first_sent_s, reply.ended_s)

    def _once(self, endpoint: Endpoint, request: bytes) -> Reply:
        if self._cookies is not None:
            request = self._with_cookies(endpoint, request, self._cookies)
        reply = self._pool.exchange(endpoint, request)
        if type(reply) is Answer:
            for name, value in reply.headers:
                if len(name) == 10 and name.lower() == b"set-cookie":
                    self._keep(endpoint, request, value)
        return reply

    def _keep(self, endpoint: Endpoint, request: bytes, set_cookie: bytes) -> None:
        if self._cookies is None:
            self._cookies = CookieJar()
        path = urlsplit(redirects.path_of(request)).path
        self._cookies.keep(set_cookie.decode("latin-1"), hostname=endpoint.hostname, path=path)

    @staticmethod
    def _with_cookies(endpoint: Endpoint, request: bytes, cookies: CookieJar) -> bytes:
        """Return `request` with its cookies, unless it says itself what they are."""
        head_ends = request.index(b"\r\n\r\n")
        line_ends = request.index(b"\r\n")
        if b"\r\ncookie:" in request[line_ends:head_ends].lower():
            return request
        path = urlsplit(redirects.path_of(request)).path
        secure = endpoint.tls is not None
        value = cookies.header(hostname=endpoint.hostname, path=path, secure=secure)
        if not value:
            return request
        return b"%b\r\nCookie: %b%b" % (request[:line_ends], value.encode(), request[line_ends:])
