"""The embedded stack: those of the three servers that are not configured elsewhere."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from functools import partial
from threading import Event
from types import TracebackType
from typing import Self

from ssc_ingest.embedded.data_directory import DataDirectory, usable_storage
from ssc_ingest.embedded.errors import EmbeddedError, PortTaken, ServerFailed
from ssc_ingest.embedded.mongo import MongoServer
from ssc_ingest.embedded.neo4j import Neo4jServer
from ssc_ingest.embedded.ports import choose_port, is_listening
from ssc_ingest.embedded.process import ChildProcess, ProcessGroup
from ssc_ingest.embedded.progress import LineProgress, StartProgress
from ssc_ingest.embedded.server import EmbeddedServer
from ssc_ingest.embedded.valkey import ValkeyServer
from ssc_ingest.servers import EmbeddedAddresses, configured_redis_url
from ssc_ingest.settings import Settings

ANY_PORT = 0

OnServerLine = Callable[[str, str], None]
"""Called with a server's name and a line that it wrote."""


class Cancelled(EmbeddedError):
    """The start was given up because another server could not start."""


class EmbeddedStack:
    """Starts the servers together and stops them together, once.

    .. code-block:: python

        with EmbeddedStack(settings) as stack:
            stack.start(LineProgress(print))
            ...  # servers.locate(settings) finds them, in every process
            if failure := stack.failed():
                ...
    """

    def __init__(self, settings: Settings, *, on_line: OnServerLine | None = None) -> None:
        """Prepare; nothing is started yet.

        Args:
            settings: which servers are configured elsewhere, and the directories.
            on_line: is given what the servers write.
        """
        self._settings = settings
        self._on_line = on_line
        self._cancelled = Event()
        self._directory: DataDirectory | None = None
        self._group: ProcessGroup | None = None
        self._children: dict[str, tuple[EmbeddedServer, ChildProcess]] = {}
        self.addresses = EmbeddedAddresses()

    def start(self, progress: StartProgress | None = None) -> EmbeddedAddresses:
        """Start what is not configured; returns when every server answers.

        The addresses are then published in the data directory.

        Raises:
            AlreadyRunning: another process runs its servers on this data directory.
            EmbeddedError: a server cannot be had or does not start; none is left running.
        """
        progress = progress or LineProgress(lambda _: None)
        wanted = self._wanted()
        if not wanted:
            return self.addresses
        self._directory = DataDirectory(self._settings.data_dir)
        try:
            self._group = ProcessGroup(inherit=[self._directory.descriptor])
            self._directory.record_group(self._group.id)
            self.addresses = EmbeddedAddresses(**self._start_together(wanted, progress))
            self.addresses.write(self._settings.data_dir)
        except BaseException:
            self.stop()
            raise
        return self.addresses

    @property
    def group(self) -> int:
        """The process group of the servers; 0 while none runs."""
        return self._group.id if self._group else 0

    @property
    def processes(self) -> dict[str, ChildProcess]:
        """The running servers by name: ``Neo4j``, ``Valkey``, ``MongoDB``."""
        return {name: child for name, (_, child) in self._children.items()}

    def _wanted(self) -> dict[str, EmbeddedServer]:
        """The servers to start, by the field of their address."""
        settings, data = self._settings, self._settings.data_dir
        wanted: dict[str, EmbeddedServer] = {}
        if not settings.graph_db_uri:
            wanted["graph_uri"] = Neo4jServer(
                data / "neo4j",
                cache=settings.cache_dir / "maven",
                maven_url=settings.embedded_maven_url,
                java_home=settings.java_home,
                cancelled=self._cancelled,
            )
        if not configured_redis_url(settings):
            wanted["redis_url"] = ValkeyServer(data / "valkey")
        if not settings.vuln_db_uri:
            wanted["vulnerabilities_uri"] = MongoServer(data / "mongo")
        return wanted

    def _start_together(
        self, wanted: dict[str, EmbeddedServer], progress: StartProgress
    ) -> dict[str, str]:
        """Start them at the same time; the first failure ends the others' start."""
        with ThreadPoolExecutor(len(wanted), thread_name_prefix="start") as pool:
            futures = {
                field: pool.submit(self._start_one, server, progress)
                for field, server in wanted.items()
            }
            try:
                for future in as_completed(futures.values()):
                    future.result()
            except BaseException:
                self._cancelled.set()
                raise
        return {field: future.result() for field, future in futures.items()}

    def _start_one(self, server: EmbeddedServer, progress: StartProgress) -> str:
        """Start one server, on its standard port if that is free; returns its address."""
        with usable_storage(self._settings.data_dir, "DATA_DIR"):
            server.prepare(progress)
        for preferred in (server.standard_port, ANY_PORT, ANY_PORT):
            port = choose_port(preferred)
            child = self._spawn(server, port)
            try:
                child.wait_until(
                    partial(self._is_ready, server, port, child), timeout=server.start_timeout
                )
            except ServerFailed as error:
                output = child.recent_output()
                if server.port_taken in output:
                    continue  # somebody was faster
                if "GLIBC_" in output:
                    raise server.unavailable() from error
                raise
            self._children[server.name] = (server, child)
            uri = server.uri(port)
            progress.say(f"{server.name} is ready at {uri}")
            return uri
        raise PortTaken(
            f"{server.name}: every port that was chosen was taken a moment later", name=server.name
        )

    def _spawn(self, server: EmbeddedServer, port: int) -> ChildProcess:
        if self._cancelled.is_set() or self._group is None:
            raise Cancelled
        with usable_storage(self._settings.data_dir, "DATA_DIR"):
            command = server.command(port)
        on_line = partial(self._on_line, server.name) if self._on_line else None
        return self._group.start(server.name, command, on_line=on_line)

    def _is_ready(self, server: EmbeddedServer, port: int, child: ChildProcess) -> bool:
        if self._cancelled.is_set():
            raise Cancelled
        return is_listening(port) and server.is_ready(port, child)

    def failed(self) -> ServerFailed | None:
        """What to raise if a server has ended on its own, else ``None``. Never blocks."""
        for _, child in self._children.values():
            if child.returncode is not None:
                return child.failure()
        return None

    def stop(self) -> None:
        """Take the addresses back and stop the servers: first asked, then killed.

        The clients should be gone by now. Safe to repeat.
        """
        self._cancelled.set()
        if self._directory is None:
            return
        EmbeddedAddresses.remove(self._settings.data_dir)
        running = [
            (server, child) for server, child in self._children.values() if child.returncode is None
        ]
        for _, child in running:
            child.terminate()  # all at once, then wait for each
        for server, child in running:
            if child.stop(grace=server.stop_grace):
                server.ended_in_order()
        self._children.clear()
        if self._group:
            self._group.close()
        self._directory.release()
        self._directory = None
        self._group = None
        self.addresses = EmbeddedAddresses()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()
