import pytest

from target_app.payments.bulkhead import Bulkhead, BulkheadFullError


def test_places_are_limited_and_come_free() -> None:
    bulkhead = Bulkhead(2)
    with bulkhead.place(), bulkhead.place():
        with pytest.raises(BulkheadFullError), bulkhead.place():
            raise AssertionError
        assert bulkhead.under_way == 2
    assert bulkhead.under_way == 0
    with pytest.raises(ZeroDivisionError), bulkhead.place():
        raise ZeroDivisionError
    assert bulkhead.under_way == 0
