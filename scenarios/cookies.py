"""Cookies of one shopper, as far as a shop's own servers need them (RFC 6265).

Hosts are few and on the allow-list, so a cookie goes back to the host that set it, or to the
allowed hosts below the domain that it names; there is no list of public suffixes.
"""

import time
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Final

_COOKIES_AT_MOST: Final = 100
_COOKIE_BYTES_AT_MOST: Final = 4096


@dataclass(frozen=True, slots=True)
class Cookie:
    """A kept cookie; `host_only` is false when the shop named a domain, and then that counts."""

    name: str
    value: str
    domain: str
    host_only: bool
    path: str
    secure: bool
    expires_epoch_s: float | None

    def goes_to(self, hostname: str, path: str, *, secure: bool) -> bool:
        """Whether a request is to carry it."""
        if self.secure and not secure:
            return False
        if self.expires_epoch_s is not None and self.expires_epoch_s <= time.time():
            return False
        if not (hostname == self.domain or (not self.host_only and _below(hostname, self.domain))):
            return False
        return path == self.path or path.startswith(self.path.rstrip("/") + "/")


class CookieJar:
    """What the shop asked this shopper to keep."""

    def __init__(self) -> None:
        self._cookies: dict[tuple[str, str, str], Cookie] = {}

    def __bool__(self) -> bool:
        return bool(self._cookies)

    def keep(self, set_cookie: str, *, hostname: str, path: str) -> None:
        """Take in one Set-Cookie header; one that makes no sense is ignored, as browsers do."""
        cookie = parse_cookie(set_cookie, hostname=hostname, path=path)
        if cookie is None:
            return
        key = (cookie.domain, cookie.path, cookie.name)
        self._cookies.pop(key, None)
        gone = cookie.expires_epoch_s is not None and cookie.expires_epoch_s <= time.time()
        if not gone and len(self._cookies) < _COOKIES_AT_MOST:
            self._cookies[key] = cookie

    def header(self, *, hostname: str, path: str, secure: bool) -> str:
        """Return the value of a request's Cookie header, the longest paths first."""
        chosen = [c for c in self._cookies.values() if c.goes_to(hostname, path, secure=secure)]
        chosen.sort(key=lambda cookie: -len(cookie.path))
        return "; ".join(f"{cookie.name}={cookie.value}" for cookie in chosen)


def parse_cookie(set_cookie: str, *, hostname: str, path: str) -> Cookie | None:
    """Read a Set-Cookie header that answered a request for `path`; None if it is to be ignored."""
    pair, *rest = set_cookie.split(";")
    name, equals, value = (part.strip() for part in pair.partition("="))
    printable = set_cookie.isascii() and set_cookie.isprintable()
    if not name or not equals or not printable or len(set_cookie) > _COOKIE_BYTES_AT_MOST:
        return None
    said = {
        key.strip().lower(): text.strip() for key, _, text in (part.partition("=") for part in rest)
    }
    domain = said.get("domain", "").lower().lstrip(".")
    if domain and domain != hostname and not _below(hostname, domain):
        return None
    at = said.get("path", "")
    return Cookie(
        name=name,
        value=value,
        domain=domain or hostname,
        host_only=not domain,
        path=at if at.startswith("/") else _default_path(path),
        secure="secure" in said,
        expires_epoch_s=_expiry(said),
    )


def _below(hostname: str, domain: str) -> bool:
    """Whether `hostname` is under `domain`; addresses are under nothing."""
    return hostname.endswith(f".{domain}") and not hostname.replace(".", "").isdigit()


def _default_path(path: str) -> str:
    return path[: path.rfind("/")] or "/"


def _expiry(said: dict[str, str]) -> float | None:
    """Return when the cookie ends; Max-Age goes before Expires, and what cannot be read is none."""
    age = said.get("max-age", "")
    if age.removeprefix("-").isdigit():
        return time.time() + float(age)
    try:
        return parsedate_to_datetime(said["expires"]).timestamp()
    except (KeyError, ValueError, OverflowError):
        return None
