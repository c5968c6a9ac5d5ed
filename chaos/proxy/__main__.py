"""The command `python -m chaos.proxy`, with the flags of `toxiproxy-server`."""

import argparse
import asyncio
import sys

from chaos.proxy.address import resolve
from chaos.proxy.errors import ApiError
from chaos.proxy.server import run


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m chaos.proxy", description=__doc__)
    parser.add_argument("-host", "--host", default="localhost", help="address of the API")
    parser.add_argument("-port", "--port", default="8474", help="port of the API; 0 takes any")
    options = parser.parse_args()
    host = f"[{options.host}]" if ":" in options.host else options.host
    try:
        run(asyncio.run(resolve(f"{host}:{options.port}")))
    except ApiError as error:
        sys.stderr.write(f"{error.text}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
