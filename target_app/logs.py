"""Logs: one JSON object a line on stderr, with the ids that tie it to a request and an order.

Nothing that came with a request is logged except what is listed here: bodies carry names, headers
carry tokens.
"""

import itertools
import logging
import re
import secrets
import sys
from contextvars import ContextVar
from datetime import UTC, datetime

import msgspec

from target_app.instants import rfc3339

NOTES: ContextVar[dict[str, str]] = ContextVar("notes")
"""What is known about the request that is being answered; none outside of requests."""

_WELL_FORMED = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_PROCESS = secrets.token_hex(4)
_numbers = itertools.count(1)


def note(**ids: str) -> None:
    """Add to what each log line of the current request says; outside of one, do nothing."""
    notes = NOTES.get(None)
    if notes is not None:
        notes.update(ids)


def request_id(given: bytes | None) -> str:
    """Return the caller's request id if it cannot break anything, else one of our own."""
    if given is not None and _WELL_FORMED.fullmatch(given):
        return given.decode()
    return f"{_PROCESS}-{next(_numbers):x}"


class JsonLines(logging.Formatter):
    """A record as one JSON object; line breaks in it are escaped, so nobody can forge a line."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "at": rfc3339(datetime.fromtimestamp(record.created, UTC)),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **NOTES.get({}),
        }
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return msgspec.json.encode(line).decode()


def log_to_stderr() -> None:
    """Let our own loggers say what happens, and everybody else only what goes wrong."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    logging.getLogger("target_app").setLevel(logging.INFO)
