"""Instants as text: RFC 3339 in UTC, always with microseconds so that they sort as they read."""

from datetime import UTC, datetime


def rfc3339(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def rfc3339_now() -> str:
    return rfc3339(datetime.now(UTC))
