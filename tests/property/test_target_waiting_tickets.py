"""Laws of tickets and admissions: a draw that nobody can steer, and texts that nobody can forge."""

from random import Random

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from target_app.sealing import BrokenSealError, sealed, unsealed
from target_app.waiting.tickets import DRAWN_BITS, Admission, Ticket, drawn_place, instant

CUSTOMERS = st.lists(st.text(min_size=1, max_size=20), min_size=1, max_size=50, unique=True)
T0_US = 1_800_000_000_000_000


def ticket(customer: str, *, joined_us: int) -> Ticket:
    return Ticket(f"id of {customer}", customer, "sale", T0_US, joined_us)


def order(tickets: list[Ticket], *, seed: str = "seed") -> list[str]:
    return [t.customer for t in sorted(tickets, key=lambda t: t.place(seed=seed))]


@given(customers=CUSTOMERS, randomness=st.randoms(use_true_random=False))
def test_the_draw_is_a_permutation_whatever_the_order_of_arrival(
    customers: list[str], randomness: Random
) -> None:
    first = [ticket(c, joined_us=T0_US - 1000 + n) for n, c in enumerate(customers)]
    randomness.shuffle(customers)
    second = [ticket(c, joined_us=T0_US - 5000 + n) for n, c in enumerate(customers)]
    assert order(first) == order(second)
    assert sorted(order(first)) == sorted(customers)


def test_the_draw_is_fair_and_each_sale_and_seed_draw_anew() -> None:
    """Half of those who came first are in the first half, give or take six standard deviations."""
    customers = [f"customer-{n}" for n in range(2000)]
    draws = []
    for seed, opens_us in (("seed", T0_US), ("seed", T0_US + 1), ("other", T0_US)):
        places = {c: drawn_place(c, opens_us=opens_us, seed=seed) for c in customers}
        drawn = sorted(customers, key=places.__getitem__)
        assert abs(len(set(drawn[:1000]) & set(customers[:1000])) - 500) < 70
        draws.append(drawn)
    assert draws[0] != draws[1] != draws[2] != draws[0]


@given(
    early=st.integers(0, T0_US - 1),
    late=st.lists(st.integers(T0_US, 2**53), min_size=2, max_size=2, unique=True),
    customer=st.text(min_size=1),
)
def test_whoever_comes_after_t0_is_behind_the_draw_and_in_order(
    early: int, late: list[int], customer: str
) -> None:
    place = ticket(customer, joined_us=early).place(seed="seed")
    assert 0 <= place < 2**DRAWN_BITS < T0_US
    assert order([ticket(str(at), joined_us=at) for at in late]) == list(map(str, sorted(late)))


ADMISSIONS = st.builds(
    Admission,
    id=st.text(max_size=20),
    customer=st.text(max_size=20),
    campaign=st.just("sale"),
    opens_us=st.integers(0, 2**53),
    expires_us=st.integers(0, 2**53),
)


@given(admission=ADMISSIONS)
def test_what_was_sealed_reads_back_and_fits_a_header_and_a_path(admission: Admission) -> None:
    text = sealed(admission, secret="secret")
    assert unsealed(text, Admission, secret="secret") == admission
    assert text.isascii()
    assert not set(text) & set("/?#% \r\n,;")


@given(admission=ADMISSIONS, other=ADMISSIONS, at=st.integers(min_value=0), by=st.integers(1, 127))
def test_no_other_text_reads_as_an_admission(
    admission: Admission, other: Admission, at: int, by: int
) -> None:
    text = sealed(admission, secret="secret")
    at %= len(text)
    changed = text[:at] + chr((ord(text[at]) + by) % 128) + text[at + 1 :]
    body, _dot, signature = text.partition(".")
    swapped = f"{sealed(other, secret='secret').partition('.')[0]}.{signature}"
    assume(other != admission)
    for forged in (changed, text[:at], text + "0", swapped, f"{body}.", ""):
        with pytest.raises(BrokenSealError):
            unsealed(forged, Admission, secret="secret")
    with pytest.raises(BrokenSealError):
        unsealed(text, Admission, secret="secreT")


def test_a_ticket_is_no_admission() -> None:
    text = sealed(ticket("ada", joined_us=1), secret="secret")
    with pytest.raises(BrokenSealError, match="something else"):
        unsealed(text, Admission, secret="secret")


def test_instants_keep_their_microseconds() -> None:
    assert msgspec.json.encode(instant(T0_US + 1)) == b'"2027-01-15T08:00:00.000001Z"'
