"""A shop that runs elsewhere behind a certificate of the company's own authority."""

import shutil
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from chaos.toxiproxy import ToxiproxyApi
from doorbuster.cli.main import run as doorbuster
from doorbuster.cli.plans import find_plan
from doorbuster.cli.stacks import stack_of
from doorbuster.cli.target import office_of
from doorbuster.errors import TargetNotReady
from doorbuster.plan import Plan
from doorbuster.run import ReadFailed
from doorbuster.rundir import new_run
from doorbuster.stack.order import StackOrder
from tests.other_shops import ADAPTERS, OtherShop, other_shop, respond_forms

pytestmark = pytest.mark.integration

PLAN = """
name: company
stack: external
shop: forms.yaml
target:
  base_url: {url}
  marker: {{path: /healthz, header: X-Environment, matches: staging}}
  ledger: {{url: "{url}/ledger"}}
sale:
  opens_at: rush
  items: [{{sku: HOT, stock: 40, price: "99.00", demand: 100%}}]
traffic:
  arrivals: [{{phase: baseline, for: 1s, rate: 1/s}}, {{phase: rush, for: 1s, rate: 1/s}}]
"""
TRUSTED = "  ca_file: ca.pem\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("company")
    shutil.copyfile(ADAPTERS / "forms.yaml", found / "forms.yaml")
    return found


@pytest.fixture(scope="module")
def shop(folder: Path) -> Iterator[OtherShop]:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(tls)
    with other_shop(respond_forms, tls=tls) as running:
        # By name: the certificate is for it, and not for the address that is connected to.
        running.url = running.url.replace("127.0.0.1", "localhost")
        yield running


def plan_of(shop: OtherShop, folder: Path, more: str) -> Plan:
    path = folder / "plan.yaml"
    path.write_text(PLAN.format(url=shop.url) + more)
    return find_plan(str(path)).plan


def rows_of(plan: Plan, folder: Path) -> int:
    """See the marker, then read the books, as a rehearsal does."""
    run = new_run(folder / "runs", plan.name)
    order = StackOrder(run.run_id, run.logs, ToxiproxyApi)
    with (
        stack_of(plan, "embedded").bring_up(order) as topology,
        office_of(plan, topology, run) as office,
    ):
        return office.read_ledger()


def test_marker_and_books_are_read_by_the_plan_s_certificates(
    shop: OtherShop, folder: Path
) -> None:
    assert shop.buy("HOT", "ref-1") is not None
    assert rows_of(plan_of(shop, folder, TRUSTED), folder) > 0


def test_those_of_the_environment_are_taken_as_well(
    shop: OtherShop, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(folder / "ca.pem"))
    assert rows_of(plan_of(shop, folder, ""), folder) > 0


def test_a_shop_that_nobody_vouches_for_is_not_rehearsed(shop: OtherShop, folder: Path) -> None:
    with pytest.raises(TargetNotReady, match="CERTIFICATE_VERIFY_FAILED"):
        rows_of(plan_of(shop, folder, ""), folder)


def test_books_that_nobody_vouches_for_are_not_read(
    shop: OtherShop, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan, run = plan_of(shop, folder, TRUSTED), new_run(folder / "runs", "unread")
    order = StackOrder(run.run_id, run.logs, ToxiproxyApi)
    monkeypatch.setattr("doorbuster.backoffice.READ_PAUSE_S", 0.0)
    with stack_of(plan, "embedded").bring_up(order) as topology:
        untrusting = plan_of(shop, folder, "")
        with (
            office_of(untrusting, topology, run) as office,
            pytest.raises(ReadFailed, match="CERTIFICATE_VERIFY_FAILED"),
        ):
            office.read_ledger()


def test_probe_trusts_them_too(
    shop: OtherShop, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    plan_of(shop, folder, TRUSTED)
    assert doorbuster(["validate", str(folder / "plan.yaml"), "--probe"]) == 0
    assert "every answer that came fits" in capfd.readouterr().out
