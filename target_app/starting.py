"""Starting a process of the shop by its name, and the exit code it comes to."""

import asyncio
import os
import sys

import uvloop

from target_app.database.pool import UnavailableError, UnknownOutcomeError
from target_app.logs import log_to_stderr
from target_app.provider.process import run_provider
from target_app.serving import raise_file_limit
from target_app.settings import ProviderSettings, SettingsError, StorefrontSettings
from target_app.storefront import run_storefront


def start(process: str, *, host: str, port: int) -> int:
    log_to_stderr()
    raise_file_limit()
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_run(process, host=host, port=port))
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except (UnavailableError, UnknownOutcomeError) as error:
        sys.stderr.write(f"no database took writes: {error}\n")
        return 1
    return 0


async def _run(process: str, *, host: str, port: int) -> None:
    if process == "storefront":
        shop = StorefrontSettings.from_environment(os.environ, prefix="STOREFRONT_")
        await run_storefront(shop, host=host, port=port)
    else:
        provider = ProviderSettings.from_environment(os.environ, prefix="PROVIDER_")
        await run_provider(provider, host=host, port=port)
