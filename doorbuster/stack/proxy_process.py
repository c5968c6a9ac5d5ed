"""A proxy of our own as a component of a stack."""

from doorbuster.stack.component import LocalComponent
from doorbuster.stack.ports import LOOPBACK
from doorbuster.stack.process import Place, Program
from doorbuster.stack.proxies import QUIET, OwnProxy
from doorbuster.stack.ready import http_probe
from doorbuster.stack.shop import with_port


def proxy_process(proxy: OwnProxy, place: Place, *, port: int) -> LocalComponent:
    """Return the proxy whose API listens on `port`, not started yet."""
    program = Program(
        component="proxy",
        command=with_port(proxy.command, port),
        home=place.home_of("proxy"),
        log=place.logs / "proxy.log",
        environment=QUIET,
    )
    address = f"{LOOPBACK}:{port}"
    version = http_probe(address, "/version")
    return LocalComponent(program, run_id=place.run_id, address=address, ready=lambda _: version())
