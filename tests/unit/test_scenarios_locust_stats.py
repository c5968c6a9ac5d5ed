"""Locust's statistics in batches: the same figures that Locust's own would show."""

import random

import pytest

with pytest.MonkeyPatch.context() as environment:
    environment.setenv("LOCUST_SKIP_MONKEY_PATCH", "1")  # other tests want their own sockets
    import locust.stats
    from locust.stats import RequestStats

    from scenarios.locust_stats import BatchedStats

FIGURES = (
    "num_requests",
    "num_failures",
    "total_response_time",
    "min_response_time",
    "max_response_time",
    "response_times",
    "total_content_length",
)


def logged(stats, requests):
    for name, method, took_ms, length in requests:
        stats.log_request(method, name, took_ms, length)
        if took_ms > 900:
            stats.log_error(method, name, "slow")
    return stats


def some_requests():
    choices = random.Random(7)
    return [
        (choices.choice("abc"), "GET", choices.random() * 1000, choices.randint(0, 99))
        for _ in range(1500)
    ]


def figures(entry):
    found = {name: getattr(entry, name) for name in FIGURES}
    found["total_response_time"] = round(found["total_response_time"], 3)
    return found


def test_batches_add_up_to_what_locust_counts():
    requests = some_requests()
    batched, plain = logged(BatchedStats(), requests), logged(RequestStats(), requests)
    assert batched.total.num_requests == 0
    turns = sum(1 for _ in batched.flush())
    assert turns >= 3
    assert figures(batched.total) == figures(plain.total)
    assert batched.entries.keys() == plain.entries.keys()
    for key, entry in plain.entries.items():
        assert figures(batched.entries[key]) == figures(entry)
    assert sum(batched.total.num_reqs_per_sec.values()) == 1500
    assert batched.total.get_response_time_percentile(0.5) is not None


def test_worker_tells_its_master_everything():
    stats = logged(BatchedStats(use_response_times_cache=False), some_requests())
    assert sum(entry["num_requests"] for entry in stats.serialize_stats()) == 1500


def test_cleared_statistics_forget_what_is_not_yet_counted():
    for clear in ("clear_all", "reset_all"):
        stats = logged(BatchedStats(), some_requests())
        getattr(stats, clear)()
        assert list(stats.flush()) == []
        assert stats.total.num_requests == 0


def test_bucketing_that_a_user_replaced_is_used(monkeypatch):
    monkeypatch.setattr(locust.stats, "bucket_response_time", lambda _: 7)
    stats = logged(BatchedStats(), some_requests())
    list(stats.flush())
    assert dict(stats.total.response_times) == {7: 1500}


@pytest.mark.parametrize("turns", [0, 1, 2])
def test_who_is_interrupted_while_counting_loses_nothing(turns):
    requests = some_requests()
    batched, plain = logged(BatchedStats(), requests), logged(RequestStats(), requests)
    interrupted = batched.flush()
    for _ in range(turns):
        next(interrupted)
    interrupted.close()
    for _ in batched.flush():
        pass
    assert figures(batched.total) == figures(plain.total)


def test_two_who_count_at_the_same_time_count_once_and_miss_nothing():
    """The master asks for figures while the loop is at them, and requests go on coming."""
    requests = some_requests()
    plain = logged(RequestStats(), [*requests, *requests])
    batched = logged(BatchedStats(), requests)
    slow = batched.flush()
    next(slow)
    for request in requests:
        logged(batched, [request])
    batched.serialize_stats()
    for _ in slow:
        pass
    for _ in batched.flush():
        pass
    assert figures(batched.total) == figures(plain.total)
