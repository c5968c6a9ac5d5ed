"""How to plant each flaw other than a stock strategy."""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from target_app import known_flaws
from target_app.acts import Acts
from target_app.flaws import (
    async_reserve,
    blind_state,
    charge_first,
    check_apart,
    double_release,
    draft_orders,
    expired_payments,
    fresh_provider_key,
    ignored_key,
    limits_apart,
    missing_release,
    one_by_one,
    optimistic_paid,
    out_of_order,
    pay_expired,
    read_replica,
    repeated_webhook,
    two_creators,
    webhook_only,
)

if TYPE_CHECKING:
    from target_app.settings import StorefrontSettings

Plant = Callable[[Acts, "StorefrontSettings"], Acts]
"""Replaces acts; what a flaw needs to know of its shop is in the settings."""


def _check_apart(acts: Acts, _settings: "StorefrontSettings") -> Acts:
    apart = replace(
        acts.reservations,
        reserve=check_apart.only_check,
        claim=check_apart.take,
        release=check_apart.keep,
        retake=check_apart.take,
    )
    return replace(acts, reservations=apart)


def _async_reserve(acts: Acts, _settings: "StorefrontSettings") -> Acts:
    later = ((async_reserve.reserve_queued, 0.5),)
    return replace(acts, check_out=async_reserve.check_out_unreserved, jobs=acts.jobs + later)


def _missing_release(acts: Acts, _settings: "StorefrontSettings") -> Acts:
    leaking = replace(acts.reservations, release=missing_release.release)
    return replace(acts, reservations=leaking)


def _charge_first(acts: Acts, _settings: "StorefrontSettings") -> Acts:
    unheld = replace(
        acts.reservations,
        reserve=check_apart.only_check,
        claim=charge_first.claim_if_left,
        release=check_apart.keep,
    )
    return replace(acts, reservations=unheld, book_capture=charge_first.book_or_cancel)


def _one_by_one(acts: Acts, settings: "StorefrontSettings") -> Acts:
    apart = one_by_one.one_by_one(acts.reservations, settings.databases)
    return replace(acts, reservations=apart)


def _out_of_order(acts: Acts, _settings: "StorefrontSettings") -> Acts:
    return replace(acts, reservations=out_of_order.out_of_order(acts.reservations))


def _read_replica(acts: Acts, settings: "StorefrontSettings") -> Acts:
    return replace(acts, check_out=read_replica.check_out_by(settings.databases))


PLANTS: dict[str, Plant] = {
    "W2": _check_apart,
    "W3": _async_reserve,
    "W5": _read_replica,
    "W12": lambda acts, _: replace(acts, check_out=ignored_key.check_out_again),
    "W13": lambda acts, _: replace(acts, jobs=double_release.cleaning_up(acts.jobs)),
    "W15": _one_by_one,
    "W15b": _out_of_order,
    "W16": _missing_release,
    "W18": lambda acts, _: replace(acts, check_out=limits_apart.check_out_unlimited),
    "W19": lambda acts, _: replace(acts, book_capture=pay_expired.book_any),
    "P1": lambda acts, _: replace(
        acts, charge=fresh_provider_key.charge, book_capture=fresh_provider_key.book_first
    ),
    "P2": lambda acts, _: replace(acts, pay=draft_orders.pay_then_write),
    "P3": lambda acts, _: replace(
        acts,
        expire_one=expired_payments.expire_any,
        book_capture=expired_payments.book_if_held,
    ),
    "P4": lambda acts, _: replace(acts, charge=optimistic_paid.charge),
    "P5": lambda acts, _: replace(acts, jobs=webhook_only.never_asking(acts.jobs)),
    "P7": lambda acts, _: replace(acts, accept=repeated_webhook.accept_every),
    "P8": lambda acts, _: replace(acts, accept=blind_state.accept_blindly),
    "P9": lambda acts, _: replace(acts, accept=two_creators.accept_and_create),
    "P10": _charge_first,
}

FLAWS = {name: (known, PLANTS[name]) for name, known in known_flaws.FLAWS.items()}
"""What there is to know about each flaw, and how to plant it."""
