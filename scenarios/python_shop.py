"""A shop as a Python class, where a file does not do: signing, odd forms, anything computed.

A method for each operation takes the step and what it asks through, and returns what came of it:

    from scenarios.python_shop import Ask, Judgement, fail, ok, unknown

    class MyShop:
        repeatable = ("reserve",)  # operations whose requests carry `step.key`

        def view(self, step, ask: Ask) -> Judgement:
            page = ask.get(f"/p/{step.sku}")
            return ok() if page.status == 200 else unknown(page)

`step` has sku, qty, client_ref, key, order_id, user_ref, method, channel, user_type and user (the
row of `traffic.data`), and `step.carried` is a dict of the shopper's own that lasts as long as the
visit.
"""

import re
from collections.abc import Mapping
from typing import Any, Final, Literal
from urllib.parse import urlencode

import msgspec

from doorbuster.errors import DoorbusterError
from scenarios.adapters.answers import ABSENT, READ_AS, Seen
from scenarios.adapters.building import FORM, JSON, Letter
from scenarios.adapters.operations import MAPPED, Poll
from scenarios.outcome import Answer, Extracted, Judgement, NoAnswer, Reply, judge_silence, unmapped
from scenarios.shop import Talk
from scenarios.step import Step

__all__ = ["Ask", "Judgement", "NoReply", "Page", "fail", "ok", "pending", "unknown"]

_GOES_ON: Final = Judgement("next")


class NoReply(Exception):
    """No whole answer came. Let it through: what that means is known better here."""

    def __init__(self, silence: NoAnswer) -> None:
        super().__init__(silence.cause)
        self.silence = silence


class Page:
    """An answer: status, text, JSON, headers and cookies."""

    def __init__(self, answer: Answer) -> None:
        self._seen = Seen(answer)
        self.status = answer.status
        self.body = answer.body

    @property
    def text(self) -> str:
        return self._seen.text

    @property
    def json(self) -> Any:
        """What the body says as JSON, None if it is none."""
        found = self._seen.json
        return None if found is ABSENT else found

    @property
    def location(self) -> str:
        """Where the answer sends us, an empty text if nowhere."""
        return self.header("Location") or ""

    def header(self, name: str) -> str | None:
        return self._seen.header(name.lower().encode())

    def cookie(self, name: str) -> str | None:
        """Return the value of a cookie that this answer sets."""
        return self._seen.cookie(name)

    def find(self, pattern: str) -> str | None:
        """Return the first group of `pattern` in the text, or what matches it."""
        found = re.search(pattern, self.text)
        return None if found is None else found[1] if found.re.groups else found[0]


def ok(**told: Any) -> Judgement:
    """Say that it worked, with what was told: order_id, amount, state, available, reserved, sold.

    An amount is a decimal text, or a whole number of minor units.
    """
    return Judgement("ok", extracted=_extracted(told))


def fail(reason: str, *, retry: bool = False) -> Judgement:
    """Say that it certainly did not work: `sold_out`, `limit`, `not_started`, `declined`."""
    return Judgement("fail", reason, retry=retry)


def unknown(why: Page | str) -> Judgement:
    """Say that nobody can know, such as after an answer that was not expected."""
    return unmapped(why.status) if isinstance(why, Page) else Judgement("info", why, retry=True)


def pending(**told: Any) -> Judgement:
    """Say that the class's `poll` for this operation finds out."""
    return Judgement("pending", extracted=_extracted(told))


def _extracted(told: Mapping[str, Any]) -> Extracted:
    for name in told:
        if name not in READ_AS:
            raise TypeError(f"{name!r} is not known here: expected {', '.join(READ_AS)}")
    return Extracted(**{name: READ_AS[name](value) for name, value in told.items()})


class Ask:
    """What a method makes its requests through: one connection, with the shopper's cookies."""

    def __init__(self, talk: Talk, step: Step, letter: Letter) -> None:
        self._talk = talk
        self._step = step
        self._letter = letter
        self.acted = False

    def get(self, path: str, *, headers: Mapping[str, str] | None = None) -> Page:
        return self("GET", path, headers=headers)

    def post(
        self,
        path: str,
        *,
        json: Any = None,
        form: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Page:
        """Send a form, or anything else as JSON."""
        if form is not None:
            kind, body = {"Content-Type": FORM}, urlencode(form, doseq=True).encode()
        elif json is not None:
            kind, body = {"Content-Type": JSON}, msgspec.json.encode(json)
        else:
            kind, body = {}, b""
        return self("POST", path, body=body, headers=kind | dict(headers or {}))

    def __call__(
        self,
        method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"],
        path: str,
        *,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
    ) -> Page:
        """Send one request and return its answer."""
        request = self._letter(method, path, self._step, body=body, headers=headers or {})
        replies: list[Reply] = []
        self._talk.ask(method, request, lambda reply: _heard(reply, replies))
        (reply,) = replies
        if isinstance(reply, NoAnswer):
            raise NoReply(reply)
        self.acted = self.acted or method not in ("GET", "HEAD")
        return Page(reply)


def _heard(reply: Reply, replies: list[Reply]) -> Judgement:
    """Keep the reply; what an answer means is for the method to say, at its end."""
    replies.append(reply)
    if isinstance(reply, NoAnswer):
        return judge_silence(reply)
    return _GOES_ON if reply.status < 500 else unmapped(reply.status)


class Method:
    """One method of a shop class as an operation."""

    def __init__(self, shop: Any, op: str, *, poll: Poll | None, letter: Letter) -> None:
        self._method = getattr(shop, op)
        self._where = f"{type(shop).__name__}.{op}"
        self._letter = letter
        self.poll = poll
        self.repeatable = op in getattr(shop, "repeatable", ())

    def perform(self, step: Step, talk: Talk) -> Judgement:
        ask = Ask(talk, step, self._letter)
        try:
            found = self._method(step, ask)
        except NoReply as none:
            found = judge_silence(none.silence)
            if ask.acted and found.outcome == "fail":
                found = Judgement("info", found.reason, retry=True)
        if not isinstance(found, Judgement):
            raise DoorbusterError(
                f"{self._where} returned {found!r}: expected ok(), fail(), unknown() or pending()"
            )
        if found.outcome == "pending" and self.poll is None:
            raise DoorbusterError(
                f"{self._where} returned pending(): expected `poll` to have {step.op!r}"
            )
        return found


def methods_of(shop: Any, letter: Letter) -> dict[str, Method]:
    """Return the operations that a shop object has methods for."""
    polls: Mapping[str, Poll] = {
        op: Poll.model_validate(poll) for op, poll in getattr(shop, "poll", {}).items()
    }
    return {
        op: Method(shop, op, poll=polls.get(op), letter=letter)
        for op in MAPPED
        if hasattr(shop, op)
    }
