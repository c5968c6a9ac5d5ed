"""A headless Chromium, told what to do over its DevTools pipe: no port, no further dependency."""

import asyncio
import base64
import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

CHROMIUM = shutil.which("chromium")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-proxy-server",
    "--window-size=900,900",
    "--remote-debugging-pipe",
)
# Chromium reads its pipe from descriptor 3 and writes to 4.
PIPED = 'exec "$0" "$@" 3<&0 4>&1 0</dev/null 1>&2'
MESSAGE_BYTES_MAX = 64 * 1024 * 1024
BOUND_S = 60.0


class Browser:
    """One page, and what it complained of."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.complaints: list[str] = []
        self._process = process
        self._session: str | None = None
        self._asked = 0

    async def open_page(self) -> None:
        target = await self.command("Target.createTarget", url="about:blank")
        attached = await self.command(
            "Target.attachToTarget", targetId=target["targetId"], flatten=True
        )
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            await self.command(f"{domain}.enable")

    async def command(self, method: str, **params: Any) -> dict[str, Any]:
        self._asked += 1
        wanted: dict[str, Any] = {"id": self._asked, "method": method, "params": params}
        if self._session:
            wanted["sessionId"] = self._session
        assert self._process.stdin
        self._process.stdin.write(json.dumps(wanted).encode() + b"\0")
        async with asyncio.timeout(BOUND_S):
            while True:
                message = await self._message()
                if message.get("id") == self._asked:
                    assert "error" not in message, message
                    return dict(message["result"])

    async def visit(self, url: str) -> None:
        await self.command("Page.navigate", url=url)

    async def evaluate(self, script: str) -> Any:
        told = await self.command(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True
        )
        # A page that is just being replaced answers with an error; it is asked again.
        return told["result"].get("value") if "exceptionDetails" not in told else None

    async def seen(self) -> str:
        return str(await self.evaluate("document.body?.innerText ?? ''"))

    async def until(self, words: str) -> str:
        """Wait until the page shows `words`, and return all that it shows."""
        seen = ""
        async with asyncio.timeout(BOUND_S):
            while words not in seen:
                await asyncio.sleep(0.05)
                seen = await self.seen()
        return seen

    async def click(self, selector: str) -> None:
        """Click as soon as that can be done, as a person would."""
        clicked = f"""(() => {{ const it = document.querySelector({json.dumps(selector)});
            if (!it || it.disabled) return false; it.click(); return true; }})()"""
        async with asyncio.timeout(BOUND_S):
            while not await self.evaluate(clicked):  # noqa: ASYNC110  # the page tells nobody
                await asyncio.sleep(0.05)

    async def picture(self) -> bytes:
        shot = await self.command("Page.captureScreenshot", format="png")
        return base64.b64decode(shot["data"])

    async def _message(self) -> dict[str, Any]:
        assert self._process.stdout
        message: dict[str, Any] = json.loads((await self._process.stdout.readuntil(b"\0"))[:-1])
        if message.get("method") == "Runtime.exceptionThrown":
            self.complaints.append(str(message["params"]["exceptionDetails"]))
        elif message.get("method") == "Log.entryAdded":
            entry = message["params"]["entry"]
            self.complaints.append(f"{entry['source']}: {entry['text']} {entry.get('url', '')}")
        return message


@asynccontextmanager
async def open_browser(profile: Path) -> AsyncIterator[Browser]:
    process = await asyncio.create_subprocess_exec(
        "sh",
        *("-c", PIPED, str(CHROMIUM), *FLAGS, f"--user-data-dir={profile}"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        limit=MESSAGE_BYTES_MAX,
    )
    try:
        browser = Browser(process)
        await browser.open_page()
        yield browser
        browser._session = None
        await browser.command("Browser.close")
    except BaseException:
        process.kill()
        raise
    finally:
        await process.wait()
        shutil.rmtree(profile, ignore_errors=True)
