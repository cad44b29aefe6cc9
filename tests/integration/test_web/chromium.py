"""A real browser: Chromium without a window, driven by its own protocol (CDP).

``SSC_CHROMIUM`` names the program; otherwise it is looked for on the path. Where there is none, the
test is skipped, but fails in CI. ``scripts/browser`` gets one.
"""

import asyncio
import base64
import json
import os
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp

from tests.missing import skip

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

LONG_ENOUGH = 300.0


def program() -> str:
    """The browser's program; without one the test is skipped, in CI it fails."""
    found = os.environ.get("SSC_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if not found:
        skip(f"no Chromium: set SSC_CHROMIUM, or install one of {', '.join(NAMES)}")
    return found


class Tab:
    """One page of the browser."""

    def __init__(
        self, socket: aiohttp.ClientWebSocketResponse, session: str = "", first: int = 0
    ) -> None:
        """``session``: of the page; ``first``: calls of one connection have different numbers."""
        self._socket = socket
        self._session = session
        self._number = first
        self.events: list[dict[str, Any]] = []
        """What the browser has reported so far: errors, messages of the console, loads."""

    async def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a method of the protocol."""
        self._number += 1
        call = {"id": self._number, "method": method, "params": parameters}
        await self._socket.send_json(call | ({"sessionId": self._session} if self._session else {}))
        async with asyncio.timeout(LONG_ENOUGH):
            while (answer := await self._socket.receive_json()).get("id") != self._number:
                self.events.append(answer)
        assert "error" not in answer, answer
        result: dict[str, Any] = answer["result"]
        return result

    async def run(self, expression: str) -> Any:
        """The value of a JavaScript expression in the page; a promise is waited for."""
        answer = await self.ask(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    async def wait_for(self, expression: str) -> None:
        """Wait until an expression is true."""
        async with asyncio.timeout(LONG_ENOUGH):
            while not await self.run(f"Boolean({expression})"):  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.1)

    async def open(self, url: str) -> None:
        """Go to an address, and wait until the page is complete."""
        await self.run("window.before = true")
        await self.ask("Page.navigate", url=url)
        await self.wait_for("!window.before && document.readyState === 'complete'")

    async def look(self, *, width: int, height: int = 900, dark: bool = False) -> None:
        """Set the size of the window and the scheme of colours."""
        await self.ask(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        await self.ask("Emulation.setEmulatedMedia", features=[scheme])

    async def press(self, key: str, *, text: str = "") -> None:
        """Press a key, such as Tab or Enter."""
        codes = {"Tab": 9, "Enter": 13, " ": 32}
        common = {"key": key, "code": "Space" if key == " " else key}
        common |= {"windowsVirtualKeyCode": codes[key]}  # type: ignore[dict-item]
        await self.ask("Input.dispatchKeyEvent", type="keyDown", text=text, **common)
        await self.ask("Input.dispatchKeyEvent", type="keyUp", **common)

    async def photograph(self, path: Path) -> None:
        """Save a picture (PNG) of the window."""
        answer = await self.ask("Page.captureScreenshot")
        await asyncio.to_thread(path.write_bytes, base64.b64decode(answer["data"]))


@asynccontextmanager
async def browser(folder: Path, executable: str) -> AsyncIterator[Tab]:
    """A browser with one empty page; ``folder`` gets its profile."""
    process = await asyncio.create_subprocess_exec(
        executable,
        "--headless=new",
        "--no-sandbox",  # CI runs as root
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--no-proxy-server",
        "--remote-debugging-port=0",
        f"--user-data-dir={folder}",
        "about:blank",
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(LONG_ENOUGH):
            while (address := await asyncio.to_thread(_address, folder)) is None:
                assert process.returncode is None, f"the browser ended with {process.returncode}"
                await asyncio.sleep(0.1)
        async with (
            aiohttp.ClientSession() as client,
            client.ws_connect(address, max_msg_size=0) as socket,
        ):
            whole = Tab(socket)
            target = await whole.ask("Target.createTarget", url="about:blank")
            attached = await whole.ask(
                "Target.attachToTarget", targetId=target["targetId"], flatten=True
            )
            tab = Tab(socket, attached["sessionId"], first=1000)
            for domain in ("Page", "Runtime", "Log", "Network"):
                await tab.ask(f"{domain}.enable")
            yield tab
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def _address(folder: Path) -> str | None:
    """The address of the protocol, which the browser writes to a file of its profile."""
    file = folder / "DevToolsActivePort"
    lines = file.read_text().splitlines() if file.exists() else []
    return f"ws://127.0.0.1:{lines[0]}{lines[1]}" if len(lines) > 1 else None


def problems(events: list[dict[str, Any]]) -> list[str]:
    """Errors of scripts, violations of the policy, and other complaints of the browser."""
    complaints = {"Runtime.exceptionThrown", "Log.entryAdded", "Runtime.consoleAPICalled"}
    return [json.dumps(event) for event in events if event.get("method") in complaints]
