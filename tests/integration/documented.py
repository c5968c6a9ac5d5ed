"""A running shop whose every answer must have a status that its OpenAPI document knows."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.integration.running_shop import Rehearsed, running_shop


@asynccontextmanager
async def documented_shop(dsn: str, folder: Path, **settings: Any) -> AsyncIterator[Rehearsed]:
    async with running_shop(dsn, folder, **settings) as run:
        paths = (await run.client.get("/openapi.json")).json()["paths"]
        known = [(re.compile(re.sub(r"{\w+}", "[^/]+", path)), paths[path]) for path in paths]

        async def look_up(answer: httpx.Response) -> None:
            asked = answer.request
            method = asked.method.lower()
            statuses = {
                status
                for pattern, methods in known
                if pattern.fullmatch(asked.url.path) and method in methods
                for status in methods[method]["responses"]
            }
            assert str(answer.status_code) in statuses, f"{asked.method} {asked.url.path}"

        run.client.event_hooks = {"response": [look_up]}
        yield run
