"""Running a suspicious task alone, in a child process.

A task whose delivery was begun before and never ended may be what killed its worker. Counting
alone would condemn all tasks that shared the process with it, so each of them runs here, one
at a time: only the one that kills the child is poison.

Parent and child talk in lines of JSON over the child's stdin and stdout. The child ends when
its stdin does, and so with its parent, however that ends.
"""

import asyncio
import json
import os
import sys
import threading
from dataclasses import asdict
from typing import Any

from structlog.contextvars import bound_contextvars

from ssc_ingest.errors import IngestError
from ssc_ingest.execution import Delayed, Done, Executor, GaveUp, Result, log_fields
from ssc_ingest.logs import configure
from ssc_ingest.queues import TaskMessage
from ssc_ingest.resources import open_resources
from ssc_ingest.servers import locate
from ssc_ingest.settings import load_settings

IDLE_FOR = 60.0
"""Seconds after which a child without work is let go."""

_RESULTS: dict[str, type[Result]] = {cls.__name__: cls for cls in (Done, Delayed, GaveUp)}


class WorkerCrashed(IngestError):
    """The task kills the process that runs it."""


class Isolation:
    """The child process of one worker: started when needed, one task at a time."""

    def __init__(self) -> None:
        self._child: asyncio.subprocess.Process | None = None
        self._turn = asyncio.Lock()
        self._idle: asyncio.TimerHandle | None = None

    async def execute(self, message: TaskMessage) -> Result:
        """Carry out a task that was delivered before.

        Raises:
            WorkerCrashed: the child died of it.
            asyncio.CancelledError: the worker stops; the child has been ended.
        """
        async with self._turn:
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
                raise WorkerCrashed(
                    f"the process that ran this task alone ended with status {status}"
                )
            self._idle = asyncio.get_running_loop().call_later(IDLE_FOR, self._let_go)
        document = json.loads(answer)
        return _RESULTS[document.pop("type")](**document)

    async def stop(self) -> None:
        """End the child, whatever it does."""
        if self._idle:
            self._idle.cancel()
        child, self._child = self._child, None
        if child and child.returncode is None:
            child.kill()
            await child.wait()

    async def _start(self) -> asyncio.subprocess.Process:
        self._child = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "workers.isolation",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        return self._child

    async def _ask(self, child: asyncio.subprocess.Process, message: TaskMessage) -> bytes:
        if child.stdin is None or child.stdout is None:
            raise RuntimeError("the child has no pipes")
        try:
            child.stdin.write(message.as_wish().encode() + b"\n")
            await child.stdin.drain()
            return await child.stdout.readline()
        except ConnectionError:
            return b""

    def _let_go(self) -> None:
        if self._child and self._child.stdin:
            self._child.stdin.close()
        self._child = None


async def _serve() -> None:
    """The child: executes what stdin says until stdin ends."""
    settings = load_settings()
    configure(settings)
    lines = _lines_of_stdin(asyncio.get_running_loop())
    async with open_resources(settings, locate(settings)) as resources:
        executor = Executor(resources)
        while line := await lines.get():
            message = TaskMessage.from_wish(line)
            with bound_contextvars(**log_fields(message.task_id, message.kwargs)):
                result = await executor.execute(message, again=True)
            document: dict[str, Any] = {"type": type(result).__name__, **asdict(result)}
            sys.stdout.write(json.dumps(document) + "\n")
            sys.stdout.flush()


def _lines_of_stdin(loop: asyncio.AbstractEventLoop) -> "asyncio.Queue[str]":
    """Lines as they come. When stdin ends in the middle of a task, so does the process."""
    lines: asyncio.Queue[str] = asyncio.Queue()

    def read() -> None:
        for line in sys.stdin:
            loop.call_soon_threadsafe(lines.put_nowait, line)
        os._exit(0)

    threading.Thread(target=read, name="stdin", daemon=True).start()
    return lines


if __name__ == "__main__":
    asyncio.run(_serve())
