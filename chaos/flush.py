"""Redis that is empty from one moment to the next."""

from contextlib import contextmanager

import redis

from chaos.calls import Call
from chaos.hands import Acting, Hands
from doorbuster.errors import DoorbusterError, said_by
from doorbuster.faults import Fault

ANSWER_BOUND_S = 5.0
WITNESS = "doorbuster:flushed"
"""A key of our own, set before: the shop may fill the server again faster than one can look."""


@contextmanager
def flushed(fault: Fault, hands: Hands) -> Acting:
    """Delete all keys, in one command; there is nothing to lift."""
    url = hands.topology.redis_direct_url
    if url is None:
        raise DoorbusterError(f"fault {fault.name!r}: the stack has no Redis")
    client = redis.Redis.from_url(
        url, socket_timeout=ANSWER_BOUND_S, socket_connect_timeout=ANSWER_BOUND_S
    )
    try:
        with hands.called(Call("FLUSHALL", fault.on), fault=fault.name):
            flush(client)
    finally:
        client.close()
    yield None


def flush(client: "redis.Redis") -> None:
    try:
        client.set(WITNESS, 1)
        keys = client.dbsize()
        client.flushall()
        left = client.exists(WITNESS)
    except redis.RedisError as error:
        raise DoorbusterError(f"FLUSHALL: {said_by(error)}") from error
    if left:
        raise DoorbusterError(f"FLUSHALL left the witness among {keys} keys")
