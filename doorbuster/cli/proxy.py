"""The command `doorbuster proxy`: the embedded Toxiproxy-compatible server alone."""

from pathlib import Path
from typing import Annotated

import typer

from doorbuster.errors import MissingPrerequisite


def proxy(
    host: Annotated[
        str, typer.Option("-host", "--host", help="Address of the API; it has no password.")
    ] = "localhost",
    port: Annotated[
        int, typer.Option("-port", "--port", min=0, max=65535, help="Port of the API; 0 takes any.")
    ] = 8474,
    config: Annotated[
        Path | None,
        typer.Option("-config", "--config", help="JSON file with the proxies to begin with."),
    ] = None,
    seed: Annotated[
        int | None, typer.Option("-seed", "--seed", help="Makes what toxics draw repeatable.")
    ] = None,
    proxy_metrics: Annotated[
        bool,
        typer.Option("-proxy-metrics", "--proxy-metrics", help="Show bytes by proxy at /metrics."),
    ] = False,
    runtime_metrics: Annotated[
        bool,
        typer.Option(
            "-runtime-metrics", "--runtime-metrics", help="Show this process at /metrics."
        ),
    ] = False,
) -> None:
    """Run the embedded Toxiproxy-compatible server until Ctrl-C; any Toxiproxy client drives it.

    The flags are those of toxiproxy-server.
    """
    # Here and not above: no other command needs the event loop of the server.
    from chaos.proxy.errors import ApiError  # noqa: PLC0415
    from chaos.proxy.server import ServerOptions, run  # noqa: PLC0415

    seeded = {} if seed is None else {"seed": seed}
    options = ServerOptions(
        host=host,
        port=str(port),
        config=config,
        proxy_metrics=proxy_metrics,
        runtime_metrics=runtime_metrics,
        **seeded,
    )
    try:
        run(options)
    except ApiError as error:
        raise MissingPrerequisite(f"the proxy's API cannot listen: {error.text}") from None
