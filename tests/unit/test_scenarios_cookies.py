"""Cookies: kept as the shop says, sent only to where they belong."""

import pytest

from scenarios.cookies import CookieJar, parse_cookie


def sent(*said, hostname="shop.test", path="/a/b", secure=False, said_by="shop.test"):
    jar = CookieJar()
    for one in said:
        jar.keep(one, hostname=said_by, path="/a/login")
    return jar.header(hostname=hostname, path=path, secure=secure)


@pytest.mark.parametrize(
    ("said", "asked", "expected"),
    [
        ("a=1", {}, "a=1"),
        ("a=1", {"path": "/a"}, "a=1"),
        ("a=1", {"path": "/ab"}, ""),
        ("a=1", {"path": "/"}, ""),
        ("a=1; Path=/", {"path": "/"}, "a=1"),
        ("a=1; Path=/a/", {"path": "/a/b"}, "a=1"),
        ("a=1; Path=relative", {}, "a=1"),
        ("a=1; Secure", {}, ""),
        ("a=1; secure", {"secure": True}, "a=1"),
        ("a=1", {"hostname": "pay.shop.test"}, ""),
        ("a=1; Domain=.shop.test", {"hostname": "pay.shop.test"}, "a=1"),
        ("a=1; Domain=shop.test", {"hostname": "workshop.test"}, ""),
        ("a=1; Domain=pay.shop.test", {"hostname": "pay.shop.test"}, ""),
        ("a=1; Max-Age=60", {}, "a=1"),
        ("a=1; Max-Age=0", {}, ""),
        ("a=1; Max-Age=-1; Expires=Fri, 01 Jan 2100 00:00:00 GMT", {}, ""),
        ("a=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT", {}, ""),
        ("a=1; Expires=when pigs fly", {}, "a=1"),
        ('a="x y"; HttpOnly; SameSite=Lax', {}, 'a="x y"'),
        ("a=", {}, "a="),
        ("a", {}, ""),
        ("=1", {}, ""),
        ("a=1\r\nX: y", {}, ""),
        ("a=" + "x" * 5000, {}, ""),
    ],
)
def test_cookie_goes_where_it_belongs(said, asked, expected):
    assert sent(said, **asked) == expected


def test_later_cookie_of_the_same_name_replaces_the_earlier():
    assert sent("a=1; Path=/", "a=2; Path=/") == "a=2"
    assert sent("a=1; Path=/", "a=; Path=/; Max-Age=0") == ""


def test_cookies_of_longer_paths_come_first():
    assert sent("a=1; Path=/", "b=2; Path=/a", "c=3; Path=/") == "b=2; a=1; c=3"


def test_shop_cannot_fill_the_memory():
    jar = CookieJar()
    for number in range(1000):
        jar.keep(f"n{number}=1", hostname="shop.test", path="/")
    assert jar.header(hostname="shop.test", path="/", secure=False).count(";") == 99


def test_address_has_nothing_below_it():
    assert parse_cookie("a=1; Domain=0.0.1", hostname="127.0.0.1", path="/") is None
