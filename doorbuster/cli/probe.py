"""`doorbuster validate PLAN --probe`: the plan's adapter, tried on a running shop."""

import time
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import ValidationError

from doorbuster.cli.adapters import adapter_of, shop_of
from doorbuster.errors import PlanError
from doorbuster.plan import Plan
from doorbuster.plan.document import parsed
from doorbuster.plan.target import Target
from doorbuster.stack.external import require_marker, resolved
from doorbuster.trust import trusting
from scenarios.adapter import line_of, reference_text
from scenarios.plain_wire import PlainWire
from scenarios.probing import Probe
from scenarios.shopper import users_of


def probe(plan: Plan, at: str | None) -> None:
    """Ask each operation of a running shop, show both sides, and refuse what does not fit.

    Raises:
        PlanError: One line per mistake of the adapter, with its place in the file.
    """
    target = target_of(plan, at)
    adapter = shop_of(plan).adapter
    if adapter is None:
        raise PlanError(
            f"--probe: {plan.shop} is a class; expected an adapter file, which has rules"
        )
    address = resolved(target)
    trust = trusting(plan.traffic.ca_file)
    require_marker(target, address, trust)
    host, _, port = address.rpartition(":")
    wire = PlainWire(urlsplit(target.base_url), (host.strip("[]"), int(port)), trust=trust)
    run_id = f"probe-{time.time_ns():x}"
    users = users_of(plan.traffic.data)
    user = users.row(0) if users else None
    probed = Probe(adapter, wire, host=target.url.netloc, run_id=run_id, user=user)
    found = probed.run(next(sku for item in plan.sale.items for sku in item.skus))
    print("\n".join(found.said))
    source = adapter_of(plan)
    text = Path(source).read_text(encoding="utf-8") if source else reference_text()
    name = source or "adapters/reference.yaml"
    document = parsed(text, source=name)
    for place, rule in probed.not_seen():
        said = f"{rule.then} {rule.reason or ''}".rstrip()
        line, dotted = line_of(document, place), ".".join(map(str, place))
        print(f"not seen: {name}: line {line}: {dotted}: {said}")
    if found.mistakes:
        raise PlanError("\n".join(mistake.at(document, name) for mistake in found.mistakes))
    print(f"{name}: every answer that came fits")


def target_of(plan: Plan, at: str | None) -> Target:
    """Return whom to ask: the plan's target, or a shop on this machine."""
    if at is not None:
        try:
            return Target(base_url=at)
        except ValidationError as error:
            message = error.errors()[0]["msg"].removeprefix("Value error, ")
            raise PlanError(f"--at {at}: {message}") from error
    if plan.target is None:
        raise PlanError(
            "--probe: the plan starts its shop itself; expected --at http://127.0.0.1:PORT, "
            "or `stack: external` and a `target`"
        )
    return plan.target
