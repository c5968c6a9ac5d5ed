"""Log lines: one JSON object each, tied to a request, that no input can break or forge."""

import json
import logging
import sys

import pytest

from target_app.logs import NOTES, JsonLines, note, request_id


def line(message: str, *arguments: object, **record: object) -> dict[str, str]:
    made = logging.LogRecord("target_app.x", logging.WARNING, __file__, 1, message, arguments, None)
    made.__dict__.update(record)
    text = JsonLines().format(made)
    assert "\n" not in text
    decoded: dict[str, str] = json.loads(text)
    return decoded


def test_a_line_says_when_what_and_for_whom() -> None:
    token = NOTES.set({"request_id": "r1", "key": "k1"})
    try:
        note(order_id="o_1")
        told = line("order %s", "gone\nforged")
    finally:
        NOTES.reset(token)
    assert told.pop("at").endswith("Z")
    assert told == {
        "level": "warning",
        "logger": "target_app.x",
        "message": "order gone\nforged",
        "request_id": "r1",
        "key": "k1",
        "order_id": "o_1",
    }


def test_outside_of_a_request_there_is_nothing_to_note() -> None:
    note(order_id="o_1")
    assert "order_id" not in line("tick")


def test_an_exception_stays_on_the_line() -> None:
    try:
        int("lost")
    except ValueError:
        told = line("failed", exc_info=sys.exc_info())
    assert told["error"].endswith("with base 10: 'lost'")


@pytest.mark.parametrize("given", [b"a" * 65, b"", b'x"y', b"x\ny", "ü".encode(), None])
def test_a_request_id_that_could_break_something_is_replaced(given: bytes | None) -> None:
    ours = request_id(given)
    assert ours.encode() != given
    assert ours != request_id(given)


def test_a_decent_request_id_is_kept() -> None:
    assert request_id(b"edge-7.A_1") == "edge-7.A_1"
