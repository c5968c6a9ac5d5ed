"""The command `python -m chaos.proxy`, with the flags of `toxiproxy-server`."""

import argparse
import sys
from pathlib import Path

from chaos.proxy.api import VERSION
from chaos.proxy.errors import ApiError
from chaos.proxy.server import ServerOptions, run


def main() -> int:
    try:
        run(options_of(sys.argv[1:]))
    except ApiError as error:
        sys.stderr.write(f"{error.text}\n")
        return 1
    return 0


def options_of(arguments: list[str]) -> ServerOptions:
    parser = argparse.ArgumentParser(prog="python -m chaos.proxy", description=__doc__)
    flag = parser.add_argument
    flag("-host", "--host", help="address of the API")
    flag("-port", "--port", help="port of the API; 0 takes any")
    flag("-config", "--config", type=Path, help="JSON file with the proxies to begin with")
    flag("-seed", "--seed", type=int, help="what toxics draw from")
    flag("-proxy-metrics", "--proxy-metrics", action="store_true", help="count bytes by proxy")
    flag("-runtime-metrics", "--runtime-metrics", action="store_true", help="show the process")
    flag("-version", "--version", action="version", version=f"chaos.proxy version {VERSION}")
    given = vars(parser.parse_args(arguments))
    return ServerOptions(**{name: value for name, value in given.items() if value is not None})


if __name__ == "__main__":
    sys.exit(main())
