"""The planted flaws other than stock strategies, by id: what is wrong, and how to plant it."""

from collections.abc import Callable
from dataclasses import replace

from target_app.acts import Acts
from target_app.descriptions import Description
from target_app.flaws import (
    async_reserve,
    blind_state,
    charge_first,
    check_apart,
    double_release,
    expired_payments,
    fresh_provider_key,
    ignored_key,
    missing_release,
    optimistic_paid,
    pay_expired,
    repeated_webhook,
)

Plant = Callable[[Acts], Acts]


def _flaw(title: str, why: str, *seen_by: str) -> Description:
    return Description(title=title, correct=False, why=why, seen_by=seen_by)


def _check_apart(acts: Acts) -> Acts:
    apart = replace(
        acts.reservations,
        reserve=check_apart.only_check,
        claim=check_apart.take,
        release=check_apart.keep,
        retake=check_apart.take,
    )
    return replace(acts, reservations=apart)


def _async_reserve(acts: Acts) -> Acts:
    later = ((async_reserve.reserve_queued, 0.5),)
    return replace(acts, check_out=async_reserve.check_out_unreserved, jobs=acts.jobs + later)


def _missing_release(acts: Acts) -> Acts:
    leaking = replace(acts.reservations, release=missing_release.release)
    return replace(acts, reservations=leaking)


def _charge_first(acts: Acts) -> Acts:
    unheld = replace(
        acts.reservations,
        reserve=check_apart.only_check,
        claim=charge_first.claim_if_left,
        release=check_apart.keep,
    )
    return replace(acts, reservations=unheld, book_capture=charge_first.book_or_cancel)


FLAWS: dict[str, tuple[Description, Plant]] = {
    "W2": (
        _flaw(
            "check the stock at checkout, take it at payment",
            "whoever orders before the first one pays finds the last unit there",
            "no_oversell",
            "stock_conserved",
        ),
        _check_apart,
    ),
    "W3": (
        _flaw(
            "reserve in a job, after the order was committed",
            "until the job comes round, the same units are promised to everybody who asks",
            "no_oversell",
            "stock_conserved",
        ),
        _async_reserve,
    ),
    "W12": (
        _flaw(
            "ignore the idempotency key of a checkout",
            "a client that repeats an unanswered request gets a second order",
            "one_order_per_key",
        ),
        lambda acts: replace(acts, check_out=ignored_key.check_out_again),
    ),
    "W13": (
        _flaw(
            "give the units of an ended hold back twice",
            "the clean-up of old holds does not ask whether their units were freed before",
            "stock_conserved",
        ),
        lambda acts: replace(acts, expire_one=double_release.expire_and_clean_up),
    ),
    "W16": (
        _flaw(
            "never give the units of an unpaid order back",
            "holds end in the books only, and the shop is sold out while units are left",
            "stock_conserved",
        ),
        _missing_release,
    ),
    "W19": (
        _flaw(
            "accept money for a hold that has ended",
            "the order becomes paid although its units went back on sale",
            "stock_conserved",
        ),
        lambda acts: replace(acts, book_capture=pay_expired.book_any),
    ),
    "P1": (
        _flaw(
            "a new provider key for each try to charge",
            "silence is taken for a no, and the provider cannot tell the retry from a new charge",
            "no_double_charge",
        ),
        lambda acts: replace(
            acts, charge=fresh_provider_key.charge, book_capture=fresh_provider_key.book_first
        ),
    ),
    "P3": (
        _flaw(
            "let holds end while a payment is under way",
            "the charge succeeds for an order that is gone, and is not given back",
            "no_orphan_charge",
        ),
        lambda acts: replace(
            acts,
            expire_one=expired_payments.expire_any,
            book_capture=expired_payments.book_if_held,
        ),
    ),
    "P4": (
        _flaw(
            "call an order paid before the provider has said so",
            "a declined card buys the goods all the same",
            "no_orphan_charge",
        ),
        lambda acts: replace(acts, charge=optimistic_paid.charge),
    ),
    "P7": (
        _flaw(
            "act on every webhook as if it were the first",
            "the units of one order are counted as sold once more with each event",
            "stock_conserved",
        ),
        lambda acts: replace(acts, accept=repeated_webhook.accept_every),
    ),
    "P8": (
        _flaw(
            "write the state an event names, whatever the order's state is",
            "events come late and out of order: paid after refunded gives goods away",
            "no_orphan_charge",
        ),
        lambda acts: replace(acts, accept=blind_state.accept_blindly),
    ),
    "P10": (
        _flaw(
            "charge first, look for the units afterwards",
            "who comes too late has paid, has no order, and the money is kept",
            "no_orphan_charge",
        ),
        _charge_first,
    ),
}
