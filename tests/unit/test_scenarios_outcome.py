"""What came back becomes ok, fail or info in one place; these are its tables."""

import pytest

from doorbuster.operations import Attempt, Outcome
from scenarios.outcome import Judgement, NoAnswer, judge_silence, of_operation, unmapped

OK = Attempt("ok", 1.0)
TIMEOUT = Attempt("info", 1.0, reason="timeout")
RESET = Attempt("info", 1.0, reason="reset")
SOLD_OUT = Attempt("fail", 1.0, reason="sold_out")
UNAVAILABLE = Attempt("fail", 1.0, reason="unavailable")


@pytest.mark.parametrize(
    ("cause", "sent_s", "outcome", "reason"),
    [
        ("refused", None, "fail", "refused_connection"),
        ("unreachable", None, "fail", "not_connected"),
        ("timeout", None, "fail", "not_connected"),
        ("reset", None, "fail", "not_connected"),
        ("timeout", 1.0, "info", "timeout"),
        ("reset", 1.0, "info", "reset"),
        ("eof", 1.0, "info", "eof"),
        ("malformed", 1.0, "info", "malformed"),
        ("too_large", 1.0, "info", "too_large"),
    ],
)
def test_silence_is_definite_only_if_nothing_was_sent(cause, sent_s, outcome, reason):
    assert judge_silence(NoAnswer(cause, sent_s, 2.0)) == Judgement(outcome, reason, retry=True)


def test_unmapped_answer_is_unknown():
    assert unmapped(502) == Judgement("info", "http_502", retry=True)


@pytest.mark.parametrize(
    ("attempts", "outcome", "reason"),
    [
        ([OK], "ok", None),
        ([TIMEOUT, OK], "ok", None),
        ([OK, TIMEOUT], "ok", None),
        ([SOLD_OUT], "fail", "sold_out"),
        ([UNAVAILABLE, SOLD_OUT], "fail", "sold_out"),
        ([TIMEOUT, SOLD_OUT], "info", "timeout"),
        ([UNAVAILABLE, TIMEOUT, RESET], "info", "reset"),
        ([], "info", "stopped"),
    ],
    ids=lambda value: "+".join(a.reason or a.outcome for a in value) if type(value) is list else "",
)
def test_operation_is_ok_by_one_attempt_and_failed_by_all(
    attempts: list[Attempt], outcome: Outcome, reason: str | None
):
    assert of_operation(attempts) == (outcome, reason)
