"""A storefront process that kills itself at a step of its first payment: port and step as words."""

import asyncio
import os
import signal
import sys

from target_app.payments.steps import Step
from target_app.settings import StorefrontSettings
from target_app.storefront import run_storefront


def main(port: str, at: str) -> None:
    fatal = Step(at)

    def die(step: Step) -> None:
        if step is fatal:
            os.kill(os.getpid(), signal.SIGKILL)

    settings = StorefrontSettings.from_environment(os.environ, prefix="STOREFRONT_")
    asyncio.run(run_storefront(settings, host="127.0.0.1", port=int(port), step=die))


if __name__ == "__main__":
    main(*sys.argv[1:])
