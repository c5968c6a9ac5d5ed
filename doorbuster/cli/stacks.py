"""Which stack a plan runs on, and how each is brought up."""

import os
import shutil
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import Literal

from chaos.server import Choice, ProxyChoice, choose_proxy
from doorbuster.components import Topology
from doorbuster.errors import PlanError
from doorbuster.plan import Plan
from doorbuster.stack.embedded import embedded
from doorbuster.stack.external import external
from doorbuster.stack.order import StackOrder
from doorbuster.stack.proxies import OwnProxy, SharedProxy
from doorbuster.trust import trusting

ProxyName = Choice
StackName = Literal["embedded", "containers", "external"]


@dataclass(frozen=True)
class ChosenStack:
    """One way to bring a shop up.

    Args:
        proxy: Names the proxy on its connections for people, given what that says of its version.
        shared_proxy: The URL of a proxy that others may use as well.
        sweeper: The command that removes what is left of a run where processes and folders are
            not all of it; the run's id is its last argument.
        starts_within_s: How long bringing it up may take before whoever does it is taken to hang.
    """

    bring_up: Callable[[StackOrder], AbstractContextManager[Topology]]
    proxy: Callable[[str], str]
    shared_proxy: str | None = None
    sweeper: tuple[str, ...] | None = None
    starts_within_s: float = 300.0


def stack_of(plan: Plan, proxy: ProxyName) -> ChosenStack:
    """Return the stack that a plan wants."""
    if plan.target is None:
        return choose_stack(plan.stack, proxy)
    trust = trusting(plan.traffic.ca_file)
    if not plan.faults:
        return ChosenStack(
            bring_up=partial(external, target=plan.target, proxy=None, trust=trust),
            proxy=lambda _version: "no proxy",
        )
    choice = choose_proxy(proxy, environ=os.environ, which=shutil.which)
    return ChosenStack(
        bring_up=partial(external, target=plan.target, proxy=own_or_shared(choice), trust=trust),
        proxy=choice.described,
        shared_proxy=choice.url,
    )


def choose_stack(name: StackName, proxy: ProxyName) -> ChosenStack:
    """Return the stack of that name, which starts the reference shop."""
    if name == "embedded":
        choice = choose_proxy(proxy, environ=os.environ, which=shutil.which)
        return ChosenStack(
            bring_up=partial(embedded, proxy=own_or_shared(choice)),
            proxy=choice.described,
            shared_proxy=choice.url,
        )
    if proxy != "auto":
        raise PlanError(
            f"--proxy {proxy}: the containers stack has a Toxiproxy of its own; "
            "leave it out, or choose `stack: embedded`"
        )
    return on_containers()


def on_containers() -> ChosenStack:
    # Here and not above: testcontainers is slow to import, and few runs need it.
    from doorbuster.stack.containers import containers  # noqa: PLC0415
    from doorbuster.stack.containers.images import Images  # noqa: PLC0415

    images = Images.from_environment(os.environ)
    return ChosenStack(
        bring_up=partial(containers, images=images),
        proxy=lambda version: f"Toxiproxy {version} in a container of {images.toxiproxy}",
        sweeper=(sys.executable, "-m", "doorbuster.stack.containers"),
        starts_within_s=3600.0,  # images that are not here are pulled, over whatever there is
    )


def own_or_shared(choice: ProxyChoice) -> OwnProxy | SharedProxy:
    """Return what the stack does about the proxy: start one, or use the one at a URL."""
    if choice.url is not None:
        return SharedProxy(choice.url)
    assert choice.program is not None, "a choice has a URL or a program"
    return OwnProxy((*choice.program, "-host", "127.0.0.1", "-port", "{port}"))
