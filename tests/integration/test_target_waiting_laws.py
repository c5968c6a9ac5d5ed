"""Laws of the line, with two replicas at one Redis and time as Redis tells it."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import count, cycle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from target_app.redis.client import Failed, open_redis
from target_app.waiting.room import Door, RoomLimits, Standing, WaitingRoom
from target_app.waiting.tickets import drawn_place
from tests.integration.redis_server import RedisServer

pytestmark = pytest.mark.integration
SEED = "seed"
LONG_AGO = count(1_000_000)
"""T0s in the past, each of a sale of its own."""
STANDSTILL = RoomLimits(rate_per_s=1e-6, active_max=1000, lease_s=60)


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    yield server
    server.stop()


@asynccontextmanager
async def replicas(
    redis: RedisServer, limits: RoomLimits, *, number: int = 2
) -> AsyncIterator[Sequence[WaitingRoom]]:
    async with AsyncExitStack() as held:
        yield [
            WaitingRoom(
                await held.enter_async_context(open_redis(redis.url, deadline_s=20)),
                limits,
                secret="secret",
                seed=SEED,
                registry=CollectorRegistry(),
            )
            for _ in range(number)
        ]


async def asked(answer: Awaitable[Standing | Failed]) -> Standing:
    standing = await answer
    assert isinstance(standing, Standing), standing
    return standing


async def joining(rooms: Sequence[WaitingRoom], door: Door, customer: str) -> Standing:
    return await asked(random.choice(rooms).join(door, customer, sku=None))


async def line(
    rooms: Sequence[WaitingRoom], door: Door, customers: Sequence[str]
) -> list[Standing]:
    """Have customers join one after the other, through one replica and the other in turn."""
    each = cycle(rooms)
    return [await asked(next(each).join(door, customer, sku=None)) for customer in customers]


def called(rooms: Sequence[WaitingRoom]) -> float:
    return sum(room.figures.called._value.get() for room in rooms)


async def asked_until(holds: Callable[[], Awaitable[bool]], *, bound_s: float = 30) -> None:
    async with asyncio.timeout(bound_s):
        while not await holds():  # noqa: ASYNC110  # Redis tells nobody
            await asyncio.sleep(0.05)


@settings(max_examples=25, deadline=None)
@given(acts=st.lists(st.tuples(st.sampled_from("abcdef"), st.booleans()), max_size=20))
def test_after_t0_the_line_is_first_in_first_out(
    redis: RedisServer, acts: list[tuple[str, bool]]
) -> None:
    """Joining again changes nothing while one stands; who left stands last when back."""

    async def scenario() -> None:
        door, expected = Door("sale", next(LONG_AGO)), list[str]()
        async with replicas(redis, STANDSTILL) as rooms:
            for number, (customer, joins) in enumerate(acts):
                standing = await asked(rooms[number % 2].join(door, customer, sku=None))
                if customer not in expected:
                    expected.append(customer)
                assert standing.position == expected.index(customer) + 1
                if not joins:
                    await rooms[1 - number % 2].leave(standing.ticket, how="gave_up")
                    expected.remove(customer)
                    left = await asked(rooms[number % 2].poll(door, standing.ticket))
                    assert left.status == "gone"

    asyncio.run(scenario())


@settings(max_examples=5, deadline=None)
@given(customers=st.permutations([f"customer-{n}" for n in range(30)]))
def test_whoever_came_before_t0_is_drawn_whatever_the_order(
    redis: RedisServer, customers: list[str]
) -> None:
    async def scenario() -> None:
        async with replicas(redis, STANDSTILL) as rooms:
            for opens_in_s in (0.4, 2, 10):
                opens_us = round((time.time() + opens_in_s) * 1e6)
                door = Door("sale", opens_us)
                early = await line(rooms, door, customers)
                if {standing.position for standing in early} == {None}:
                    break  # else this machine was too busy for them all to come before T0
            await asyncio.sleep(max(0.0, opens_us / 1e6 - time.time()) + 0.05)
            (late,) = await line(rooms, door, ["late"])
            places = {
                standing.ticket.customer: standing.position
                for standing in await line(rooms, door, customers)
            }
        drawn = sorted(customers, key=lambda c: drawn_place(c, opens_us=opens_us, seed=SEED))
        assert places == {customer: place for place, customer in enumerate(drawn, start=1)}
        assert late.position == len(customers) + 1

    asyncio.run(scenario())


def test_two_replicas_never_admit_more_than_the_cap(redis: RedisServer) -> None:
    async def scenario() -> None:
        door = Door("sale", next(LONG_AGO))
        limits = RoomLimits(rate_per_s=100_000, active_max=7, lease_s=60)
        async with replicas(redis, limits) as rooms:
            stood = await asyncio.gather(*(joining(rooms, door, f"c{n}") for n in range(60)))
            stood.sort(key=lambda standing: standing.ticket.joined_us)
            remaining = [standing.ticket.customer for standing in stood]
            while remaining:
                found = await asyncio.gather(*(joining(rooms, door, c) for c in remaining))
                inside = [s.ticket for s in found if s.status == "admitted"]
                assert {ticket.customer for ticket in inside} <= set(remaining[:7])
                for ticket in inside[:3]:
                    await rooms[0].leave(ticket, how="checked_out")
                    remaining.remove(ticket.customer)

    asyncio.run(scenario())


def test_two_replicas_never_call_faster_than_the_rate(redis: RedisServer) -> None:
    """One-sided: by the time they had, they may have called fewer and never more."""

    async def scenario() -> None:
        door = Door("sale", next(LONG_AGO))
        limits = RoomLimits(rate_per_s=40, active_max=1000, lease_s=60)
        async with replicas(redis, limits) as rooms:
            began_s = time.monotonic()
            for _ in range(20):
                await asyncio.gather(
                    *(
                        asked(room.join(door, f"c{n}", sku=None))
                        for n in range(50)
                        for room in rooms
                    )
                )
                assert called(rooms) <= 40 * (time.monotonic() - began_s) + 1
            await asked_until(lambda: all_called(rooms, door))

    async def all_called(rooms: Sequence[WaitingRoom], door: Door) -> bool:
        await asked(rooms[0].join(door, "c0", sku=None))
        return called(rooms) == 50

    asyncio.run(scenario())


def test_an_idle_room_saves_up_no_more_than_a_second(redis: RedisServer) -> None:
    async def scenario() -> None:
        limits = RoomLimits(rate_per_s=5, active_max=1000, lease_s=60)
        async with replicas(redis, limits) as rooms:
            halted = Door("sale", next(LONG_AGO), is_halted=True)
            await line(rooms, halted, [f"c{n}" for n in range(30)])
            await asyncio.sleep(1.6)
            began_s = time.monotonic()
            await line(rooms, Door("sale", halted.opens_us), ["c0"])
            assert called(rooms) <= 5 + 5 * (time.monotonic() - began_s)
            assert called(rooms) >= 5

    asyncio.run(scenario())
