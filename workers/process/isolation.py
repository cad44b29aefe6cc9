"""Runs suspicious tasks in a child process, one at a time.

A task is suspicious if an earlier delivery of it started and did not end: the task may have killed
its worker. Any other task of that process may have done so instead. So each of them runs here
alone, and only a task that kills the child is poison.

Parent and child exchange lines of JSON over the child's stdin and stdout. The child exits when its
stdin is closed, also by the death of its parent.
"""

import asyncio
import json
import os
import sys
import threading
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from redis.exceptions import RedisError
from structlog.contextvars import bound_contextvars

from ssc_ingest.errors import IngestError
from ssc_ingest.extraction.delivery import DeliveryHandler, log_fields
from ssc_ingest.extraction.naming import NamesDeliveries
from ssc_ingest.logs import configure
from ssc_ingest.resources import open_resources
from ssc_ingest.servers import locate
from ssc_ingest.settings import load_settings
from ssc_ingest.vulnerabilities.changed import ATTRIBUTE
from ssc_ingest.vulnerabilities.delivery import AttributionHandler
from ssc_ingest.work.messages import TaskMessage
from ssc_ingest.work.names import EXTRACT, EXTRACT_NAMES
from ssc_ingest.work.results import Delayed, Done, GaveUp, Result

IDLE_TIMEOUT = 60.0
"""Seconds without work until the child is stopped."""

READY, STATE_LOST = "Ready", "StateLost"

_RESULTS: dict[str, type[Result]] = {cls.__name__: cls for cls in (Done, Delayed, GaveUp)}

TURN_TIMEOUT = 20.0
"""Maximum seconds for which a task waits for the child; well below the visibility timeout."""


_Handler = DeliveryHandler | NamesDeliveries | AttributionHandler


class WorkerCrashed(IngestError):
    """The task killed its process."""


class IsolationBusy(IngestError):
    """The child process is not available for this task."""

    blames_package = False


class Isolation:
    """The child process of one worker, started on demand."""

    def __init__(self) -> None:
        self._child: asyncio.subprocess.Process | None = None
        self._turn = asyncio.Lock()
        self._idle: asyncio.TimerHandle | None = None

    async def execute(self, message: TaskMessage) -> Result:
        """Run a task that was delivered before.

        Raises:
            WorkerCrashed: the task killed the child.
            IsolationBusy: other tasks took longer than :data:`TURN_TIMEOUT`, or the child did not
                start.
            RedisError: Redis does not respond to the child.
            asyncio.CancelledError: the worker stops; the child was killed.
        """
        try:
            async with asyncio.timeout(TURN_TIMEOUT):
                await self._turn.acquire()
        except TimeoutError:
            raise IsolationBusy("another suspicious task runs alone at the moment") from None
        try:
            if self._idle:
                self._idle.cancel()
            child = self._child or await self._start()
            try:
                answer = await self._ask(child, message)
            except asyncio.CancelledError:
                await self.stop()
                raise
            if not answer:
                status = await child.wait()
                self._child = None
                raise WorkerCrashed(f"the child process of this task exited with code {status}")
            self._idle = asyncio.get_running_loop().call_later(IDLE_TIMEOUT, self._let_go)
        finally:
            self._turn.release()
        document = json.loads(answer)
        if (name := document.pop("type")) == STATE_LOST:
            raise RedisError(document["error"])
        return _RESULTS[name](**document)

    async def stop(self) -> None:
        """Kill the child, even during a task."""
        if self._idle:
            self._idle.cancel()
        child, self._child = self._child, None
        if child and child.returncode is None:
            child.kill()
            await child.wait()

    async def _start(self) -> asyncio.subprocess.Process:
        try:
            child = self._child = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "workers.process.isolation",
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
            )
            ready = child.stdout and await child.stdout.readline()
        except OSError as error:
            raise IsolationBusy(f"its process did not start: {error}") from error
        except asyncio.CancelledError:
            await self.stop()
            raise
        if not ready:
            status = await child.wait()
            self._child = None
            raise IsolationBusy(f"its process exited with code {status} before it began")
        return child

    async def _ask(self, child: asyncio.subprocess.Process, message: TaskMessage) -> bytes:
        if child.stdin is None or child.stdout is None:
            raise RuntimeError("the child has no pipes")
        try:
            child.stdin.write(message.to_json().encode() + b"\n")
            await child.stdin.drain()
            return await child.stdout.readline()
        except ConnectionError:
            return b""

    def _let_go(self) -> None:
        if self._child and self._child.stdin:
            self._child.stdin.close()
        self._child = None


async def _serve() -> None:
    """Main function of the child: runs the tasks from stdin until stdin is closed."""
    settings = load_settings()
    configure(settings)
    lines = _lines_of_stdin(asyncio.get_running_loop())
    async with open_resources(settings, locate(settings)) as resources:
        handlers: dict[str, _Handler] = {
            EXTRACT: resources.delivery_handler(),
            EXTRACT_NAMES: resources.names_deliveries(),
            ATTRIBUTE: resources.attribution_handler(),
        }
        _say({"type": READY})
        while line := await lines.get():
            message = TaskMessage.from_json(line)
            with bound_contextvars(**log_fields(message.task_id, message.kwargs)):
                document = await _carry_out(handlers[message.task], message)
            _say(document)


def _say(document: Mapping[str, Any]) -> None:
    sys.stdout.write(json.dumps(document) + "\n")
    sys.stdout.flush()


async def _carry_out(handler: _Handler, message: TaskMessage) -> dict[str, Any]:
    try:
        result = await handler.handle(message, redelivered=True)
    except RedisError as error:
        return {"type": STATE_LOST, "error": str(error)}
    return {"type": type(result).__name__, **asdict(result)}


def _lines_of_stdin(loop: asyncio.AbstractEventLoop) -> "asyncio.Queue[str]":
    """A queue of stdin's lines. When stdin is closed, the process exits, even during a task."""
    lines: asyncio.Queue[str] = asyncio.Queue()

    def read() -> None:
        for line in sys.stdin:
            loop.call_soon_threadsafe(lines.put_nowait, line)
        os._exit(0)

    threading.Thread(target=read, name="stdin", daemon=True).start()
    return lines


if __name__ == "__main__":
    asyncio.run(_serve())
