"""The simulator's book and behaviour."""

from collections.abc import Iterator

import msgspec
import pytest

from target_app.provider.behaviour import Behaviour, Mode, mode_for
from target_app.provider.book import Book, Entry
from target_app.provider.intents import Intent
from target_app.provider.refusals import KeyMismatchError, NotRefundableError

SILENT = Mode.TIMEOUT_AFTER_CAPTURE


@pytest.fixture
def book() -> Iterator[Book]:
    opened = Book(":memory:")
    yield opened
    opened.close()


def charge(book: Book, key: str = "k", *, amount: int = 100, method: str = "card") -> Entry:
    return book.charge(Intent("o_1", amount, "EUR", method), key=key)


def test_a_key_charges_once(book: Book) -> None:
    first, again = charge(book), charge(book)
    assert (first.fresh, again.fresh) == (True, False)
    assert first.values == again.values
    assert len(book.charges_of("o_1")) == 1


def test_a_key_means_one_thing(book: Book) -> None:
    charge(book)
    with pytest.raises(KeyMismatchError):
        charge(book, amount=101)


def test_a_declined_card_takes_nothing(book: Book) -> None:
    declined = charge(book, method="card_declined")
    assert declined.values["state"] == "declined"
    with pytest.raises(NotRefundableError):
        book.refund(key="r", charge_id=declined.values["charge_id"], amount=1)


def test_no_more_is_given_back_than_was_taken(book: Book) -> None:
    charge_id = charge(book).values["charge_id"]
    assert book.refund(key="r1", charge_id=charge_id, amount=60).fresh
    assert not book.refund(key="r1", charge_id=charge_id, amount=60).fresh
    with pytest.raises(NotRefundableError):
        book.refund(key="r2", charge_id=charge_id, amount=41)
    assert book.refund(key="r3", charge_id=charge_id, amount=40).fresh
    amounts = [line["amount"] for line in book.lines() if line["table"] == "refunds"]
    assert sorted(amounts) == [40, 60]


@pytest.mark.parametrize(
    ("behaviour", "expected"),
    [
        (Behaviour(), [Mode.NORMAL] * 4),
        (Behaviour(mode=SILENT), [SILENT] * 4),
        (Behaviour(mode=SILENT, first=2), [SILENT, SILENT, Mode.NORMAL, Mode.NORMAL]),
        (Behaviour(mode=Mode.SLOW, share=0.0), [Mode.NORMAL] * 4),
        (Behaviour(mode=Mode.SLOW, share=1.0), [Mode.SLOW] * 4),
    ],
)
def test_whom_it_affects(behaviour: Behaviour, expected: list[Mode]) -> None:
    met = [mode_for(behaviour, key=f"k{n}", charges_before=n) for n in range(4)]
    assert met == expected


def test_a_share_is_about_that_many_and_the_same_ones_each_time() -> None:
    def affected(seed: int) -> list[int]:
        behaviour = Behaviour(mode=SILENT, share=0.3, seed=seed)
        return [
            n for n in range(1000) if mode_for(behaviour, key=f"k{n}", charges_before=n) is SILENT
        ]

    assert affected(7) == affected(7)
    assert affected(7) != affected(8)
    assert 250 < len(affected(7)) < 350


@pytest.mark.parametrize("wrong", ['{"mode":"asleep"}', '{"share":1.5}', '{"sher":0.5}'])
def test_a_behaviour_that_means_nothing_is_refused(wrong: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(wrong, type=Behaviour)
