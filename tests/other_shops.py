"""Two shops quite unlike the reference one: forms with redirects, and GraphQL that is always 200.

Both sell `stock` units, take `client_ref` as a note, and keep books that they show at /ledger.
"""

import json
import secrets
import ssl
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs

PRICE_MINOR = 9900
ADAPTERS = Path(__file__).parent / "adapters"


class OtherShop:
    """What both have: stock, orders, and the requests that they saw."""

    def __init__(self, stock: int) -> None:
        self.initial = stock
        self.orders: list[dict[str, object]] = []
        self.seen: Counter[str] = Counter()
        self.marks: set[str | None] = set()
        self.hosts: set[str | None] = set()
        self.traces: list[str | None] = []
        self.broken = False
        self.url = ""
        self.lock = threading.Lock()

    @property
    def left(self) -> int:
        return self.initial - len(self.orders)

    def buy(self, sku: str, note: str) -> str | None:
        """Sell one unit and return the order's id, None when there is none left."""
        with self.lock:
            if self.left <= 0:
                return None
            order_id = str(1000 + len(self.orders))
            self.orders.append(
                {"order_id": order_id, "client_ref": note, "sku": sku, "paid": False}
            )
            return order_id

    def pay(self, order_id: str) -> bool:
        with self.lock:
            found = [order for order in self.orders if order["order_id"] == order_id]
            for order in found:
                order["paid"] = True
            return bool(found)

    def ledger(self) -> list[dict[str, object]]:
        """Return the books as rows, the way an export would write them."""
        now = datetime.now(UTC).isoformat()
        rows: list[dict[str, object]] = []
        for order in self.orders:
            status = "paid" if order["paid"] else "cancelled"
            rows.append(
                {
                    "table": "orders",
                    "order_id": order["order_id"],
                    "client_ref": order["client_ref"],
                    "user_ref": "",
                    "status": status,
                    "total": PRICE_MINOR,
                    "currency": "EUR",
                    "created_at": now,
                    "updated_at": now,
                    "version": 1,
                }
            )
            rows.append(
                {
                    "table": "order_lines",
                    "order_id": order["order_id"],
                    "sku": order["sku"],
                    "qty": 1,
                    "unit_price": PRICE_MINOR,
                }
            )
        return [*rows, {"table": "end", "rows": len(rows)}]


Respond = Callable[[OtherShop, BaseHTTPRequestHandler, str], None]


def send(handler: BaseHTTPRequestHandler, status: int, body: str = "", **headers: str) -> None:
    content = body.encode()
    handler.send_response(status)
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.send_header("Content-Length", str(len(content)))
    handler.end_headers()
    handler.wfile.write(content)


def respond_forms(shop: OtherShop, handler: BaseHTTPRequestHandler, body: str) -> None:
    """Serve pages, forms and redirects; a token and a cookie tie them together."""
    path, fields = handler.path, {k: v[0] for k, v in parse_qs(body).items()}
    token = (handler.headers.get("Cookie") or "").partition("token=")[2].partition(";")[0]
    if path.startswith("/item/"):
        token = secrets.token_urlsafe(9) + "+/"
        stock = f"<b>{shop.left} left</b>" if shop.left > 0 else "<b>Sold out</b>"
        form = f'<input name="csrf" value="{token.replace("+", "&#43;")}">'
        page = f"<html><h1>{path[6:]}</h1>{stock}{form}</html>"
        send(handler, 200, page, Content_Type="text/html", Set_Cookie=f"token={token}; Path=/")
    elif not token or fields.get("csrf") != token:
        send(handler, 200, "<html>Your session has ended.</html>", Content_Type="text/html")
    elif path == "/buy":
        order_id = shop.buy(fields["sku"], fields["note"])
        where = f"/thanks?order={order_id}" if order_id else "/sold-out"
        send(handler, 302, Location=where)
    elif path == "/pay":
        there = shop.pay(fields["order"])
        send(handler, 302, Location="/paid" if there else "/oops", X_Total="99.00")
    else:
        send(handler, 200, "<html>Sorry, nothing here.</html>", Content_Type="text/html")


def respond_graphql(shop: OtherShop, handler: BaseHTTPRequestHandler, body: str) -> None:
    """Answer 200 to everything, errors included."""
    asked = json.loads(body) if body else {}
    query, given = asked.get("query", ""), asked.get("variables", {})
    answer: dict[str, object]
    if "product(" in query:
        answer = {"data": {"product": {"sku": given["sku"], "left": shop.left}}}
    elif "buy(" in query:
        order_id = shop.buy(given["sku"], given["note"])
        if order_id is None:
            answer = {"errors": [{"message": "Gone", "extensions": {"code": "SOLD_OUT"}}]}
        else:
            answer = {"data": {"buy": {"id": order_id, "state": "OPEN", "total": "99.00"}}}
    elif "pay(" in query:
        there = shop.pay(given["order"])
        answer = {"data": {"pay": {"state": "SETTLING" if there else "UNKNOWN"}}}
    elif "order(" in query:
        paid = any(o["order_id"] == given["id"] and o["paid"] for o in shop.orders)
        answer = {"data": {"order": {"id": given["id"], "state": "PAID" if paid else "OPEN"}}}
    else:
        answer = {"errors": [{"message": "What?", "extensions": {"code": "BAD_REQUEST"}}]}
    send(handler, 200, json.dumps(answer), Content_Type="application/json")


class Server(ThreadingHTTPServer):
    """Threads that end with the test, and room for a crowd that comes at once."""

    daemon_threads = True
    request_queue_size = 1024


def opened(server: ThreadingHTTPServer, tls: ssl.SSLContext | None) -> str:
    """Return the server's URL, over TLS if it is to be."""
    address = f"127.0.0.1:{server.server_address[1]}"
    if tls is None:
        return f"http://{address}"
    # The handshake in the thread of the connection: one that hangs holds nobody else up.
    server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    return f"https://{address}"


@contextmanager
def other_shop(
    respond: Respond, *, stock: int = 1_000_000, tls: ssl.SSLContext | None = None
) -> Iterator[OtherShop]:
    """Run a shop on a free port until the body ends."""
    shop = OtherShop(stock)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            self.respond()

        def do_POST(self) -> None:
            self.respond()

        def respond(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
            if self.path == "/ledger":
                rows = shop.ledger()
                send(self, 200, "".join(json.dumps(row) + "\n" for row in rows))
                return
            if self.path == "/healthz":
                send(self, 200, "ready", X_Environment="staging")
                return
            with shop.lock:
                shop.seen[f"{self.command} {self.path.split('/')[1].partition('?')[0]}"] += 1
                shop.marks.add(self.headers.get("X-Load-Test"))
                shop.hosts.add(self.headers.get("Host"))
                shop.traces.append(self.headers.get("traceparent"))
            if shop.broken:
                send(self, 200, "<html>Oops</html>")
            else:
                respond(shop, self, body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = Server(("127.0.0.1", 0), Handler)
    shop.url = opened(server, tls)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield shop
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
