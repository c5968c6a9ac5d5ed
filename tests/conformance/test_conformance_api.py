"""The API by black box: every case on our server and on a real Toxiproxy, compared to the byte."""

import json
import socket
from typing import Any

import pytest

from tests.conformance.comparing import PORT, Case, Look, Pair, judge
from tests.proxy_servers import ProxyServer

pytestmark = pytest.mark.integration

NOWHERE = "127.0.0.1:9"
SHOP = {"name": "shop", "upstream": NOWHERE, "listen": "127.0.0.1:0"}
TOXICS = "/proxies/shop/toxics"


def version(server: ProxyServer, look: Look) -> None:
    reply = server.call("GET", "/version")
    look("status", reply.status)
    look("type", reply.headers["Content-Type"])
    look("shape", (list(reply.json()), reply.body[:13], reply.body[-3:]))
    look("name", reply.json()["version"])


def routing(server: ProxyServer, look: Look) -> None:
    server.call("POST", "/proxies", SHOP)
    for path in (
        *("/", "/nope", "/version/", "/proxies/", "/proxies/shop/", "/proxies/shop/nope"),
        *("//proxies", "/proxies//shop", "/proxies/../version", "/./version?a=b", "/metrics"),
        *("/proxies/a%2Fb", "/proxies/sh%6Fp", "/proxies/shop%3F", "/proxies?x=1", "/lease"),
        *("/proxies/shop/toxics/none", "/PROXIES", "/proxies/Shop"),
    ):
        look.reply(path, server.call("GET", path))
    for method in ("PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "PROPFIND"):
        for path in ("/version", "/proxies", "/populate", "/reset", "/proxies/none", TOXICS):
            look.reply(f"{method} {path}", server.call(method, path))


def browsers(server: ProxyServer, look: Look) -> None:
    for agent in ("Mozilla/5.0", "mozilla/5.0", "Mozilla", "x Mozilla/5.0", ""):
        look.reply(f"as {agent!r}", server.call("POST", "/reset", agent=agent))
        look.reply(f"nowhere as {agent!r}", server.call("GET", "/nope", agent=agent))


BODIES = (
    *("", " ", "null", "{", '{"name"', '{"name":', '{"name":"x"', "[", "[]", "nope", '"x"', "7"),
    *('{"name":5}', '{"name":"x","upstream":[]}', '{"name":"x","upstream":"y","enabled":"z"}'),
    *('{"name":null,"upstream":"y"}', '{"name":"","upstream":"y"}', '{"name":"x"}'),
    *('{"name":"x","upstream":""}', '{"NAME":"x","Upstream":"127.0.0.1:9"}', '{} {"name":"x"}'),
    *('{"name":"x","upstream":"y","listen":7}', '{"name":"x","name":"","upstream":"y"}'),
    *("{'name':'x'}", '{"name":"x",}', '\ufeff{"name":"x"}', '{"name":NaN}', "[" * 20_000),
)


def malformed(server: ProxyServer, look: Look) -> None:
    for body in BODIES:
        label = f"create {body[:60]}"
        reply = look.reply(label, server.call("POST", "/proxies", body))
        assert reply.status in {201, 400, 500}
        server.clear()
    for body in ("{}", '{"name":"x"}', '[{"name":5}]', "[7]", "[null]", "[[]]", "null", "[", "x"):
        look.reply(f"populate {body}", server.call("POST", "/populate", body))


def creating(server: ProxyServer, look: Look) -> None:
    for number, listen in enumerate(
        (
            *(None, "", ":0", "0.0.0.0:0", "[::]:0", "[::1]:0", "localhost:0", "127.0.0.1:"),
            *("nonsense", "127.0.0.1", "127.0.0.1:99999", "127.0.0.1:-1", "127.0.0.1:http2x"),
            *("192.0.2.1:0", "[::1:0", "::1:0", "127.0.0.1:0:0", "300.0.0.1:0", "[127.0.0.1]:0"),
        )
    ):
        body = {"name": f"p{number}", "upstream": NOWHERE, "listen": listen}
        look.reply(f"listen {listen}", server.call("POST", "/proxies", body))
    taken = f"127.0.0.1:{server.port}"
    look.reply("taken", server.call("POST", "/proxies", {**SHOP, "listen": taken}))
    look.reply("disabled", server.call("POST", "/proxies", {**SHOP, "enabled": False}))
    look.reply("twice", server.call("POST", "/proxies", {**SHOP, "listen": "nonsense"}))
    look.reply(
        "toxics ignored", server.call("POST", "/proxies", {**SHOP, "name": "t", "toxics": 5})
    )
    look.reply("odd name", server.call("POST", "/proxies", {**SHOP, "name": "a <&> %é\u2028\x00"}))
    look.reply("all", server.call("GET", "/proxies"))
    look.reply("start", server.call("PATCH", "/proxies/shop", {"enabled": True}))


def updating(server: ProxyServer, look: Look) -> None:
    listen = server.call("POST", "/proxies", SHOP).json()["listen"]
    port = listen.rpartition(":")[2]
    for number, body in enumerate(
        (
            *(
                {},
                {"name": "other"},
                {"upstream": "127.0.0.1:10"},
                {"upstream": ""},
                {"enabled": None},
            ),
            *(
                {"listen": f"localhost:{port}"},
                {"enabled": False},
                {"enabled": False},
                {"enabled": True},
            ),
            *({"listen": "nope"}, {"listen": "127.0.0.1:99999"}, {"listen": ""}, {"enabled": "x"}),
            *({"listen": "127.0.0.1:0"}, {"listen": f"127.0.0.1:{server.port}"}, {"enabled": True}),
            *({"listen": "127.0.0.1:0", "enabled": True}, {"toxics": []}, [], "", "null"),
        )
    ):
        for method in ("PATCH", "POST"):
            label = f"{method} {number} {PORT.sub('PORT', json.dumps(body))}"
            look.reply(label, server.call(method, "/proxies/shop", body))
        look.reply(f"after {number}", server.call("GET", "/proxies/shop"))
    look.reply("absent", server.call("PATCH", "/proxies/none", {}))
    look.reply("absent and bad", server.call("PATCH", "/proxies/none", "x"))


def deleting(server: ProxyServer, look: Look) -> None:
    server.call("POST", "/proxies", SHOP)
    look.reply("deleted", server.call("DELETE", "/proxies/shop", "ignored"))
    look.reply("again", server.call("DELETE", "/proxies/shop"))
    look.reply("none left", server.call("GET", "/proxies"))
    look.reply("same name", server.call("POST", "/proxies", SHOP))


def populating(server: ProxyServer, look: Look) -> None:
    def populate(label: str, *entries: Any) -> Any:
        return look.reply(label, server.call("POST", "/populate", list(entries)))

    populate("empty")
    listen = populate("created", SHOP).json()["proxies"][0]["listen"]
    same = {**SHOP, "listen": listen}
    server.add("shop", "latency", latency=5)
    populate("same", same)
    populate("same by another name", {**same, "listen": listen.replace("127.0.0.1", "localhost")})
    populate("enabled is ignored", {**same, "enabled": False})
    populate("upstream moved", {**same, "upstream": "127.0.0.1:10"})
    populate("twice in one", {**SHOP, "name": "a"}, {**SHOP, "name": "a"})
    populate("disabled", {**SHOP, "name": "off", "enabled": False})
    populate("nameless second", {**SHOP, "name": "b"}, {"upstream": NOWHERE})
    populate("no upstream third", {**SHOP, "name": "b"}, {**SHOP, "name": "c"}, {"name": "d"})
    taken = {**SHOP, "name": "taken", "listen": f"127.0.0.1:{server.port}"}
    populate("taken second", {**SHOP, "name": "b"}, taken, {**SHOP, "name": "c"})
    populate("nonsense", {**SHOP, "name": "n", "listen": "nonsense"})
    populate("existing to nonsense", {**same, "listen": "nonsense"})
    populate("existing to taken", {**same, "listen": f"127.0.0.1:{server.port}"})
    look.reply("in the end", server.call("GET", "/proxies"))
    look.reply(
        "not an array", server.call("POST", "/populate", server.call("GET", "/proxies").body)
    )


def resetting(server: ProxyServer, look: Look) -> None:
    server.call("POST", "/proxies", SHOP)
    server.call("POST", "/proxies", {**SHOP, "name": "off", "enabled": False})
    server.add("shop", "latency", latency=5)
    server.add("off", "timeout", stream="upstream")
    server.call("PATCH", "/proxies/shop", {"enabled": False})
    look.reply("reset", server.call("POST", "/reset", "ignored"))
    look.reply("after", server.call("GET", "/proxies"))
    with socket.create_server(("127.0.0.1", 0)) as holder:
        taken = f"127.0.0.1:{holder.getsockname()[1]}"
        body = {**SHOP, "name": "taken", "listen": taken, "enabled": False}
        server.call("POST", "/proxies", body)
        look.reply("cannot start", server.call("POST", "/reset"))
        look.reply("after that", server.call("GET", "/proxies/taken"))


KINDS = ("latency", "bandwidth", "slow_close", "timeout", "reset_peer", "limit_data", "noop")


def toxics(server: ProxyServer, look: Look) -> None:
    server.call("POST", "/proxies", SHOP)
    for kind in KINDS:
        look.reply(kind, server.call("POST", TOXICS, {"type": kind}))
        look.reply(f"{kind} again", server.call("POST", TOXICS, {"type": kind}))
        body = {"type": kind, "stream": "UPstream", "toxicity": 7.5}
        look.reply(f"{kind} up", server.call("POST", TOXICS, body))
    sliced = {"average_size": 10, "size_variation": 2, "delay": 7}
    look.reply("slicer", server.call("POST", TOXICS, {"type": "slicer", "attributes": sliced}))
    look.reply("list", server.call("GET", TOXICS))
    look.reply("proxy", server.call("GET", "/proxies/shop"))
    for kind in KINDS:
        look.reply(f"show {kind}", server.call("GET", f"{TOXICS}/{kind}_downstream"))
        look.reply(f"delete {kind}", server.call("DELETE", f"{TOXICS}/{kind}_downstream"))
        look.reply(f"delete {kind} again", server.call("DELETE", f"{TOXICS}/{kind}_downstream"))
    look.reply("list the rest", server.call("GET", TOXICS))


def toxic_bodies(server: ProxyServer, look: Look) -> None:
    server.call("POST", "/proxies", SHOP)
    server.add("shop", "noop", name="there")
    for body in (
        *("", "{}", "[]", "null", '{"type":7}', '{"type":"down"}', '{"type":"Latency"}'),
        *('{"type":"latency","stream":"sideways"}', '{"type":"nope","stream":"sideways"}'),
        *('{"type":"nope","name":"there"}', '{"type":"noop","name":"there","stream":"upstream"}'),
        *('{"type":"latency","name":"there","attributes":[]}', '{"name":5,"type":"noop"}'),
        *('{"type":"latency","stream":""}', '{"type":"latency","stream":null,"name":""}'),
        *(
            '{"type":"latency","name":"é <&> %\\u0000","toxicity":-1}',
            '{"type":"noop","name":"a/b"}',
        ),
    ):
        look.reply(f"toxic {body}", server.call("POST", TOXICS, body))
    for value in (
        *("1", "-7", "0", "1.0", "1.5", "1e3", '"1"', "true", "null", "[]", "{}"),
        *("9223372036854775807", "9223372036854775808", "-9223372036854775808"),
    ):
        body = f'{{"type":"latency","name":"v{value}","attributes":{{"latency":{value}}}}}'
        look.reply(f"latency {value}", server.call("POST", TOXICS, body))
    for value in (
        "0",
        "1",
        "1.0",
        "0.1",
        "-0.5",
        "0.0002",
        "1e21",
        "1e38",
        "1e39",
        "123456789.123",
        '"1"',
        "null",
    ):
        body = f'{{"type":"noop","name":"t{value}","toxicity":{value}}}'
        look.reply(f"toxicity {value}", server.call("POST", TOXICS, body))
    look.reply("list", server.call("GET", TOXICS))
    look.reply("no proxy", server.call("POST", "/proxies/none/toxics", {"type": "noop"}))


def tiny_toxicity(server: ProxyServer, look: Look) -> None:
    server.call("POST", "/proxies", SHOP)
    for value in ("0.00001", "1e-9"):
        body = f'{{"type":"noop","name":"tiny","toxicity":{value}}}'
        reply = server.call("POST", TOXICS, body)
        look(f"{value} as number", reply.json())
        look(f"{value} as text", reply.body)
        server.remove("shop", "tiny")


def toxic_updates(server: ProxyServer, look: Look) -> None:
    server.call("POST", "/proxies", SHOP)
    server.add("shop", "latency", name="slow", latency=5, jitter=1, toxicity=0.5)
    for number, body in enumerate(
        (
            *({}, {"attributes": {"jitter": 3}}, {"toxicity": 0.25}, {"attributes": {"bogus": 1}}),
            *({"name": "x", "type": "noop", "stream": "upstream"}, {"attributes": {"LATENCY": 9}}),
            *({"attributes": None}, {"attributes": {"latency": None}}, {"attributes": {}}),
        )
    ):
        method = ("PATCH", "POST")[number % 2]
        look.reply(f"{number}", server.call(method, f"{TOXICS}/slow", body))
    for body in ("", "x", "[]", '{"attributes":[]}', '{"toxicity":"1"}', '{"attributes":7}'):
        look.reply(f"bad {body}", server.call("PATCH", f"{TOXICS}/slow", body))
        look.reply(f"after bad {body}", server.call("GET", f"{TOXICS}/slow"))
    half = {"attributes": {"latency": 77, "jitter": "x"}}
    look.reply("half bad", server.call("PATCH", f"{TOXICS}/slow", half))
    look.reply("after half bad", server.call("GET", f"{TOXICS}/slow"))
    look.reply("absent", server.call("PATCH", f"{TOXICS}/none", {}))
    look.reply("no proxy", server.call("PATCH", "/proxies/none/toxics/slow", {}))


def crashing_attributes(server: ProxyServer, look: Look) -> None:
    """No data flows here: with it, the original ends."""
    server.call("POST", "/proxies", SHOP)
    for kind, attributes in (
        ("bandwidth", {"rate": -1}),
        ("slicer", {}),
        ("slicer", {"average_size": -3}),
        ("slicer", {"average_size": 3, "size_variation": 4}),
        ("slicer", {"average_size": 3, "size_variation": -3}),
    ):
        body = {"type": kind, "name": "bad", "attributes": attributes}
        label = f"{kind} {json.dumps(attributes)}"
        look(label, server.call("POST", TOXICS, body).status)
        server.call("DELETE", f"{TOXICS}/bad")


def extensions(server: ProxyServer, look: Look) -> None:
    server.call("POST", "/proxies", SHOP)
    body = {"type": "latency", "ttl_ms": 60_000, "first_connections": 2}
    look("members", "ttl_ms" in server.call("POST", TOXICS, body).json())
    look("lease", server.call("POST", "/lease", {"ttl_ms": 60_000}).status)
    server.call("DELETE", "/lease")


CASES: tuple[Case, ...] = (
    *(version, routing, browsers, malformed, creating, updating, deleting, populating),
    *(
        resetting,
        toxics,
        toxic_bodies,
        tiny_toxicity,
        toxic_updates,
        crashing_attributes,
        extensions,
    ),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_api_is_the_same(pair: Pair, table: list[str], case: Case) -> None:
    judge(case.__name__, pair.differences(case), table)
