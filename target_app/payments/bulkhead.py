"""A bulkhead: so many calls at once and no queue, so that calls that hang do not pile up."""

from collections.abc import Iterator
from contextlib import contextmanager


class BulkheadFullError(Exception):
    """As many calls as may be are under way; this one was not made."""


class Bulkhead:
    """Counts calls under way."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.under_way = 0

    @contextmanager
    def place(self) -> Iterator[None]:
        """Hold one of the places for as long as the block lasts.

        Raises:
            BulkheadFullError: None is free.
        """
        if self.under_way >= self.limit:
            raise BulkheadFullError
        self.under_way += 1
        try:
            yield
        finally:
            self.under_way -= 1
