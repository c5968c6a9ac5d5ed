"""A job that fails in a way nobody foresaw, and goes on."""

import asyncio
import logging
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import pytest

from target_app.jobs import repeat
from target_app.metrics import Metrics

if TYPE_CHECKING:
    from target_app.shop import Shop


@dataclass
class CountingShop:
    """As much of a shop as the repetition of a job needs."""

    metrics: Metrics


def test_a_job_goes_on_after_an_error_that_nobody_foresaw(
    caplog: pytest.LogCaptureFixture,
) -> None:
    shop, turns = CountingShop(Metrics("test")), iter(range(3))
    over = asyncio.Event()

    async def stumble(_shop: "Shop") -> None:
        turn = next(turns, None)
        if turn is None:
            over.set()
        elif turn < 2:
            raise KeyError("a field that was never missing before")

    async def scenario() -> None:
        job = asyncio.create_task(repeat(stumble, cast("Shop", shop), pause_s=0))
        waiting = asyncio.create_task(over.wait())
        await asyncio.wait((job, waiting), timeout=10, return_when=asyncio.FIRST_COMPLETED)
        assert not job.done()
        job.cancel()
        with suppress(asyncio.CancelledError):
            await job

    with caplog.at_level(logging.ERROR):
        asyncio.run(scenario())
    assert over.is_set()
    assert b'storefront_job_failures_total{job="stumble"} 2.0' in shop.metrics.exposition()
    assert [record.exc_info is not None for record in caplog.records] == [True, True]
