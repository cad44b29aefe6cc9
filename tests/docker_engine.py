"""A small Docker engine over HTTP that can build an image and run a container.

https://docs.docker.com/reference/api/engine/. Nothing is isolated: the files of the Dockerfile go
into a folder, and the entry point runs there as a process of this machine.
"""

import asyncio
import contextlib
import io
import json
import re
import signal
import struct
import sys
import tarfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from aiohttp import web

VERSION = {"Version": "28.0.0", "ApiVersion": "1.44", "MinAPIVersion": "1.24", "Os": "linux"}
STDOUT, STDERR = 1, 2


class DockerEngine:
    """One image, and containers of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.built: list[str] = []
        """Tags, in the order in which they were built."""
        self.dockerfile = ""
        self.created: list[dict[str, Any]] = []
        """What each container was made with."""
        self.removed: list[str] = []
        self.build_error = ""
        """Why builds fail."""
        self.hangs = False
        """Whether containers never end."""
        self.output: bytes | None = None
        """What containers print instead of what the entry point does."""
        self.running = asyncio.Event()
        """Set as soon as a container runs."""
        self._processes: dict[str, asyncio.subprocess.Process] = {}
        self._started: dict[str, asyncio.Event] = {}

    def application(self) -> web.Application:
        """The needed part of the engine's API."""
        application = web.Application(client_max_size=10_000_000)
        prefix = "/v{version:[0-9.]+}"
        application.add_routes(
            [
                web.get("/version", self._version),
                web.post(f"{prefix}/build", self._build),
                web.post(f"{prefix}/containers/create", self._create),
                web.get(prefix + "/containers/{id}/json", self._inspect),
                web.post(prefix + "/containers/{id}/attach", self._attach),
                web.post(prefix + "/containers/{id}/start", self._start),
                web.post(prefix + "/containers/{id}/wait", self._wait),
                web.delete(prefix + "/containers/{id}", self._remove),
            ]
        )
        return application

    @staticmethod
    async def _version(_: web.Request) -> web.Response:
        return web.json_response(VERSION)

    async def _build(self, request: web.Request) -> web.StreamResponse:
        with tarfile.open(fileobj=io.BytesIO(await request.read())) as tar:
            tar.extractall(self.folder, filter="data")
        self.dockerfile = (self.folder / "Dockerfile").read_text()
        answer = web.StreamResponse(headers={"Content-Type": "application/json"})
        await answer.prepare(request)
        steps: list[dict[str, Any]] = [
            {"stream": f"Step : {line}\n"} for line in self.dockerfile.splitlines()
        ]
        steps.append(
            {"error": self.build_error} if self.build_error else {"aux": {"ID": "sha256:1"}}
        )
        for step in steps:
            await answer.write(json.dumps(step).encode() + b"\r\n")
        await answer.write_eof()
        self.built.append(request.query["t"])
        return answer

    async def _create(self, request: web.Request) -> web.Response:
        wanted = await request.json()
        assert wanted["Image"] in self.built
        identifier = f"{len(self.created):064x}"
        self.created.append(wanted)
        self._started[identifier] = asyncio.Event()
        return web.json_response({"Id": identifier, "Warnings": []}, status=201)

    async def _inspect(self, request: web.Request) -> web.Response:
        identifier = request.match_info["id"]
        return web.json_response({"Id": identifier, "Config": {"Tty": False}})

    async def _attach(self, request: web.Request) -> web.StreamResponse:
        """Frames of the container's output: stream, length, bytes."""
        identifier = request.match_info["id"]
        transport = request.transport
        assert transport
        transport.write(
            b"HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.multiplexed-stream\r\n"
            b"Connection: Upgrade\r\nUpgrade: tcp\r\n\r\n"
        )
        await self._started[identifier].wait()
        process = self._processes[identifier]

        async def forward(number: int, stream: asyncio.StreamReader | None) -> None:
            while stream and (piece := await stream.read(1000)):
                transport.write(struct.pack(">BxxxI", number, len(piece)) + piece)

        await asyncio.gather(forward(STDOUT, process.stdout), forward(STDERR, process.stderr))
        transport.close()
        return web.Response()

    async def _start(self, request: web.Request) -> web.Response:
        identifier = request.match_info["id"]
        command = self._command(self.created[int(identifier, 16)]["Cmd"])
        self._processes[identifier] = await asyncio.create_subprocess_exec(
            *command,
            cwd=self.folder / "reader",
            env={},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        self._started[identifier].set()
        self.running.set()
        return web.Response(status=204)

    def _command(self, arguments: list[str]) -> list[str]:
        if self.hangs:
            return ["sleep", "600"]
        if self.output is not None:
            return [sys.executable, "-c", f"import os; os.write(1, {self.output!r})"]
        entry_point = re.search(r"^ENTRYPOINT (.*)$", self.dockerfile, re.MULTILINE)
        assert entry_point
        python, *rest = json.loads(entry_point[1])
        assert python == "python"
        return [sys.executable, "-S", *rest, *arguments]

    async def _wait(self, request: web.Request) -> web.Response:
        status = await self._processes[request.match_info["id"]].wait()
        return web.json_response({"StatusCode": status})

    async def _remove(self, request: web.Request) -> web.Response:
        identifier = request.match_info["id"]
        assert request.query["force"] == request.query["v"] == "True"
        if (process := self._processes.get(identifier)) and process.returncode is None:
            process.send_signal(signal.SIGKILL)
            await process.wait()
        self._started[identifier].set()
        self.removed.append(identifier)
        return web.Response(status=204)


@contextlib.asynccontextmanager
async def docker_engine(folder: Path) -> AsyncIterator[tuple[DockerEngine, str]]:
    """A running engine and its address in the form of ``DOCKER_HOST``."""
    engine = DockerEngine(folder)
    runner = web.AppRunner(engine.application(), shutdown_timeout=0.2)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    try:
        await site.start()
        host, port = runner.addresses[0][:2]
        yield engine, f"tcp://{host}:{port}"
    finally:
        await runner.cleanup()
