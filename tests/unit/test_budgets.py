import pytest

from doorbuster.budgets import Budget, Measure, parse_budget, parse_stop

MEASURES = [
    ("p99(reserve) <= 800ms", Measure("percentile", quantile=0.99, op="reserve"), 0.8),
    ("p99.9(pay) < 3s", Measure("percentile", quantile=0.999, op="pay"), 3),
    ("p5(view) > 1ms", Measure("percentile", quantile=0.05, op="view"), 0.001),
    ("errors <= 1%", Measure("errors"), 0.01),
    ("errors(pay) <= 2.5%", Measure("errors", op="pay"), 0.025),
    ("goodput >= 20/s", Measure("goodput"), 20),
    ("goodput(reserve) >= 90/m", Measure("goodput", op="reserve"), 1.5),
    ('recovery("payments latency") <= 10s', Measure("recovery", fault="payments latency"), 10),
]


@pytest.mark.parametrize(("text", "measure", "limit"), MEASURES, ids=[m[0] for m in MEASURES])
def test_a_budget_is_read(text: str, measure: Measure, limit: float) -> None:
    budget = parse_budget(f"  {text} ")
    assert (budget.text, budget.measure, budget.limit) == (text, measure, limit)
    assert (budget.during, budget.outside_faults) == (None, False)


@pytest.mark.parametrize(
    ("tail", "during", "outside_faults"),
    [
        (" during rush", "rush", False),
        (" outside faults", None, True),
        ("  during  last-minute  outside  faults", "last-minute", True),
    ],
)
def test_a_budget_can_be_of_a_phase_and_outside_faults(
    tail: str, during: str | None, outside_faults: bool
) -> None:
    budget = parse_budget("errors <= 1%" + tail)
    assert (budget.during, budget.outside_faults) == (during, outside_faults)


@pytest.mark.parametrize(
    ("text", "expectation"),
    [
        ("", "expected a budget such as"),
        ("errors", "expected a budget such as"),
        ("errors<=1%", "expected a budget such as"),
        ("errors = 1%", "expected a budget such as"),
        ("errors <= 1% outside", "expected a budget such as"),
        ("errors <= 1% outside faults during rush", "expected a budget such as"),
        ("p100(pay) <= 1s", "expected a budget such as"),
        ("p99 <= 1s", "expected a budget such as"),
        ("recovery(failover) <= 1s", "expected a budget such as"),
        ("latency(pay) <= 1s", "expected a budget such as"),
        ("p99(buy) <= 1s", "unknown operation 'buy'"),
        ("errors(buy) <= 1%", "unknown operation 'buy'"),
        ("errors <= 1", "expected a share"),
        ("errors <= 101%", "expected a share"),
        ("goodput >= 20", "expected a rate"),
        ("p99(pay) <= 1", "expected a duration"),
        ('recovery("x") <= 5%', "expected a duration"),
        ('recovery("x") <= 5s during rush', "takes neither"),
        ('recovery("x") <= 5s outside faults', "takes neither"),
    ],
)
def test_what_is_no_budget_is_refused(text: str, expectation: str) -> None:
    with pytest.raises(ValueError, match=expectation):
        parse_budget(text)


@pytest.mark.parametrize(
    ("sign", "allowed"), [("<=", "below at"), ("<", "below"), (">=", "at above"), (">", "above")]
)
def test_a_limit_itself_is_within_only_where_it_says_so(sign: str, allowed: str) -> None:
    budget: Budget = parse_budget(f"goodput {sign} 20/s")
    values = {"below": 19.9, "at": 20.0, "above": 20.1}
    assert " ".join(name for name, value in values.items() if budget.allows(value)) == allowed


def test_a_stop_condition_is_read() -> None:
    condition = parse_stop(" errors(pay) > 60% for 10s ")
    assert condition.text == "errors(pay) > 60% for 10s"
    assert condition.window_s == 10
    assert condition.breach.measure == Measure("errors", op="pay")
    assert [condition.breach.allows(value) for value in (0.6, 0.61)] == [False, True]


@pytest.mark.parametrize(
    ("text", "expectation"),
    [
        ("errors > 60%", "expected a stop condition such as"),
        ("errors > 60% for 10", "expected a duration"),
        ("errors > 60% during rush for 10s", "expected a stop condition such as"),
        ("p99(pay) > 3s for 10s", "only errors and goodput can stop a run"),
        ("errors > 60% for 0s", "at least 1s"),
        ("errors > 60% for 900ms", "at least 1s"),
    ],
)
def test_what_is_no_stop_condition_is_refused(text: str, expectation: str) -> None:
    with pytest.raises(ValueError, match=expectation):
        parse_stop(text)
