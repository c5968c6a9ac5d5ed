"""Crashes: processes killed and started again, once or over and over."""

from contextlib import ExitStack, contextmanager

from chaos.hands import Acting, Hands
from chaos.processes.acting import components_of, kill, restart
from doorbuster.faults import Fault


@contextmanager
def killed(fault: Fault, hands: Hands) -> Acting:
    """End the component's processes as a crash does, and start them again at the end."""
    with ExitStack() as mending:
        for component in components_of(fault, hands):
            mending.callback(restart, component, fault, hands)
            kill(component, fault, hands)
        yield None


@contextmanager
def crash_looping(fault: Fault, hands: Hands) -> Acting:
    """Kill the processes; at each beat start them, or kill them again. At the end they run."""
    components = components_of(fault, hands)
    down = True

    def beat() -> None:
        nonlocal down
        for component in components:
            (restart if down else kill)(component, fault, hands)
        down = not down

    with killed(fault, hands):
        yield beat
