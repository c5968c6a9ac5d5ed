"""A plan for a shop elsewhere: what has to be said, and what cannot be."""

import pytest

from doorbuster.errors import PlanError
from doorbuster.plan import load_plan
from tests.fakes import changed

EXTERNAL = """\
stack: external
target:
  base_url: https://shop.example
  allow_hosts: [shop.example, books.example]
  marker: {path: /healthz, header: X-Environment, matches: ^staging$}
  ledger: {url: "https://books.example/ledger"}
"""


LEDGER = '{url: "https://books.example/ledger"}'


def load(text, **environ):
    return load_plan(text, source="plans/my.yaml", environ=environ).plan


def external(old="", new=""):
    plan = changed("storefront: {replicas: 1, hold: 15s}\n", EXTERNAL)
    a, b = plan.index("faults:"), plan.index("good_within:")
    plan = plan[:a] + plan[b:].replace('  - recovery("payments latency") <= 10s\n', "")
    return changed(old, new, plan) if old else plan


def test_a_target_is_read_and_its_files_are_beside_the_plan():
    plan = load(external("stack: external", "stack: external\nshop: mine.yaml"))
    assert plan.target.host == "shop.example"
    assert plan.target.port == 443
    assert plan.shop == "plans/mine.yaml"
    assert plan.rest_s == 5.0
    assert load(external("stack: external", "stack: external\nshop: a/b.py:Shop")).shop == (
        "plans/a/b.py:Shop"
    )


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("stack: external\n", "", "`target` is for `stack: external`"),
        ("base_url: https://shop.example", "base_url: https://shop.example/x", "and no path"),
        ("base_url: https://shop.example", "base_url: ftp://shop.example", "expected http://HOST"),
        ("base_url: https://shop.example", "base_url: http://shop.example:PORT", "as 'PORT'; exp"),
        ("base_url: https://shop.example", "base_url: http://shop.example:0", "that it listens on"),
        ("https://shop.example", "https://www.example", "'www.example' is not in `allow_hosts`"),
        ("[shop.example, books.example]", "[shop.example]", "'books.example' is not in"),
        ("  marker: {path: /healthz, header: X-Environment, matches: ^staging$}\n", "", "`marker`"),
        ("matches: ^staging$", 'matches: "("', "regular expression"),
        (LEDGER, "{}", "either `url` or `folder`"),
        (LEDGER, "{dsn_env: DB}", "`dsn_env` and `queries` go together"),
        (LEDGER, "{folder: books, queries: {orders: SELECT}}", "`queries` go together"),
        (LEDGER, "{dsn_env: DB, queries: {stock: SELECT}}", "a query for 'orders' among"),
        (LEDGER, "{dsn_env: DB, queries: {order: SELECT}}", "a query for 'order': expected one of"),
        (LEDGER, "{dsn_env: DB, token_env: T, queries: {orders: S}}", "`token_env` goes with"),
        ("stack: external", "stack: external\nshop: mine", "path of an adapter file"),
        ("stack: external", "stack: external\nstorefront: {hold: 5s}", "leave it out here"),
        (
            "good_within:",
            "faults: [{at: rush+1s, for: 1s, on: postgres, latency: {delay: 1s}}]\ngood_within:",
            "out of reach",
        ),
    ],
)
def test_what_cannot_be_is_refused(old, new, message):
    with pytest.raises(PlanError, match=message):
        load(external(old, new))


def test_external_wants_a_target():
    plan = external()
    a, b = plan.index("target:"), plan.index("sale:")
    with pytest.raises(PlanError, match="wants a `target`"):
        load(plan[:a] + plan[b:])
