"""The HTTP server: every registry under its own prefix, and the control API."""

import asyncio
import contextlib
import json
import signal
import socket
import sys
from collections.abc import AsyncIterator

from aiohttp import web

from tests.simulator import osv
from tests.simulator.control import Control
from tests.simulator.counts import Asked, Counts
from tests.simulator.delivery import deliver, fail, part, response
from tests.simulator.ecosystem import Document, Route
from tests.simulator.faults import Faults
from tests.simulator.options import Options
from tests.simulator.registries import open_registries

BACKLOG = 1024

NO_SUCH_PATH = Document(b"the simulator has nothing here\n", "text/plain", status=404)


class Simulation:
    """The registries with all state that can be changed at run time."""

    def __init__(self, options: Options, base_url: str) -> None:
        self.options = options
        self.base_url = base_url
        self.registries = open_registries(options, base_url)
        self.by_prefix = {r.ecosystem.prefix: r for r in self.registries.values()}
        self.faults = Faults(options.seed)
        self.counts = Counts()
        self.latency = dict.fromkeys([*self.registries, osv.PREFIX], options.latency)
        self.bucket = osv.Bucket()
        self.control = Control(self)

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request."""
        path = request.raw_path.partition("?")[0]
        prefix, slash, rest = path[1:].partition("/")
        if prefix == "_control":
            return await self.control.handle(rest, request)
        if prefix == osv.PREFIX and request.method in {"GET", "HEAD"}:
            found = self.bucket.route(slash + rest)
            return (
                response(NO_SUCH_PATH)
                if not found
                else await self._answer(request, path, osv.PREFIX, found)
            )
        registry = self.by_prefix.get(prefix)
        query = request.rel_url.query
        route = registry.ecosystem.answer(slash + rest, query, registry) if registry else None
        if registry is None or route is None or request.method not in {"GET", "HEAD"}:
            return response(NO_SUCH_PATH)
        return await self._answer(request, path, registry.ecosystem.name, route)

    async def _answer(
        self, request: web.BaseRequest, path: str, ecosystem: str, route: Route
    ) -> web.StreamResponse:
        headers = request.headers
        counts = self.counts  # a reset puts others in their place
        counts.begin()
        status, fault = 0, None
        try:
            if delay := self.latency[ecosystem]:
                await asyncio.sleep(delay / 1000)
            fault = self.faults.choose(path, ecosystem, route.endpoint, route.package)
            if fault is None:
                answer = await deliver(request, route.document(headers))
            else:
                answer = await fail(request, fault, lambda: part(route.document(headers), headers))
            status = 0 if fault and fault.silent else answer.status
            return answer
        finally:
            asked = Asked(
                path=path,
                endpoint=route.endpoint,
                package=route.package,
                status=status,
                fault=fault.kind if fault else None,
                user_agent=headers.get("User-Agent", ""),
                conditional="If-None-Match" in headers,
            )
            counts.end(asked)


@contextlib.asynccontextmanager
async def serving(options: Options) -> AsyncIterator[Simulation]:
    """A simulation that is served at ``base_url`` during the block.

    Raises:
        OSError: the port is in use.
    """
    listener = socket.create_server((options.host, options.port), backlog=BACKLOG)
    host, port = listener.getsockname()[:2]
    simulation = Simulation(options, f"http://{host}:{port}")
    server = web.Server(
        simulation.handle, access_log=None, keepalive_timeout=600, handler_cancellation=True
    )
    runner = web.ServerRunner(server, shutdown_timeout=0.2)
    await runner.setup()
    try:
        await web.SockSite(runner, listener, backlog=BACKLOG).start()
        yield simulation
    finally:
        await runner.cleanup()


async def serve(options: Options, *, until_stdin_closes: bool) -> None:
    """Serve until SIGTERM or SIGINT, or until standard input ends; announce the base URL."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    if until_stdin_closes:
        # A pipe from the parent ends when the parent does, however it dies.
        reader = asyncio.StreamReader()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        watching = asyncio.ensure_future(reader.read())
        watching.add_done_callback(lambda _: stopping.set())
    async with serving(options) as simulation:
        sys.stdout.write(json.dumps({"url": simulation.base_url}) + "\n")
        sys.stdout.flush()
        await stopping.wait()
