"""The embedded stack: the servers that have no address in the settings."""

from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor, as_completed
from functools import partial
from threading import Event
from typing import Self

from ssc_ingest.embedded.data_directory import DataDirectory, usable_storage
from ssc_ingest.embedded.errors import ServerFailed
from ssc_ingest.embedded.mongo import MongoServer
from ssc_ingest.embedded.neo4j import Neo4jServer
from ssc_ingest.embedded.process import ChildProcess
from ssc_ingest.embedded.progress import LineProgress, StartProgress
from ssc_ingest.embedded.server import EmbeddedServer
from ssc_ingest.embedded.supervisor import Supervisor, Waiting
from ssc_ingest.embedded.valkey import ValkeyServer
from ssc_ingest.servers import EmbeddedAddresses, configured_redis_url
from ssc_ingest.settings import Settings

OnServerLine = Callable[[str, str], None]
"""Called with a server's name and each line of its output."""


class EmbeddedStack:
    """Starts and stops the servers together; cannot be started twice.

    .. code-block:: python

        with EmbeddedStack(settings) as stack:
            stack.start(LineProgress(print))
            ...  # servers.locate(settings) finds them, in every process
            if failure := stack.failed():
                ...
    """

    def __init__(
        self,
        settings: Settings,
        *,
        on_line: OnServerLine | None = None,
        tell: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Prepare; nothing is started yet.

        Args:
            settings: the directories, and the addresses; servers with an address are not started.
            on_line: receives the output of the servers.
            tell: called with a line for people when a server has ended, and when it works again.
        """
        self._tell = tell
        self._settings = settings
        self._on_line = on_line
        self._cancelled = Event()
        self._directory: DataDirectory | None = None
        self._supervisor: Supervisor | None = None
        self.addresses = EmbeddedAddresses()

    def start(self, progress: StartProgress | None = None) -> EmbeddedAddresses:
        """Start the servers; returns when all of them respond.

        Their addresses are then published in the data directory.

        Raises:
            AlreadyRunning: another process runs its servers on this data directory.
            EmbeddedError: a server is not available or does not start; none keeps running.
        """
        wanted = self._wanted()
        if not wanted:
            return self.addresses
        self._directory = DataDirectory(self._settings.data_dir)
        try:
            supervisor = self._supervisor = Supervisor(
                inherit=[self._directory.descriptor],
                cancelled=self._cancelled,
                tell=self._tell,
            )
            self._directory.record_group(supervisor.group)
            self._start_together(
                supervisor, wanted.values(), progress or LineProgress(lambda _: None)
            )
            self.addresses = EmbeddedAddresses(
                **{
                    field: server.uri(supervisor.port(server.name))
                    for field, server in wanted.items()
                }
            )
            self.addresses.write(self._settings.data_dir)
        except BaseException:
            self.stop()
            raise
        return self.addresses

    @property
    def group(self) -> int:
        """The process group of the servers; 0 while none is running."""
        return self._supervisor.group if self._supervisor else 0

    @property
    def processes(self) -> dict[str, ChildProcess]:
        """The running servers by name: ``Neo4j``, ``Valkey``, ``MongoDB``."""
        return self._supervisor.children if self._supervisor else {}

    def _wanted(self) -> dict[str, EmbeddedServer]:
        """The servers to start, by the field of :class:`EmbeddedAddresses`."""
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
        self, supervisor: Supervisor, servers: Collection[EmbeddedServer], progress: StartProgress
    ) -> None:
        """Start the servers in parallel; the first failure cancels the other starts."""

        def start(server: EmbeddedServer) -> None:
            with usable_storage(self._settings.data_dir, "DATA_DIR"):
                server.prepare(progress)
            on_line = partial(self._on_line, server.name) if self._on_line else None
            supervisor.start(server.program(on_line))
            supervisor.wait_ready([server.name], progress.say)

        with ThreadPoolExecutor(len(servers), thread_name_prefix="start") as pool:
            try:
                for future in as_completed([pool.submit(start, server) for server in servers]):
                    future.result()
            except BaseException as error:
                self._cancelled.set()
                if isinstance(error, ServerFailed) and "GLIBC_" in str(error):
                    server = next(server for server in servers if server.name == error.name)
                    raise server.unavailable() from error
                raise

    def failed(self) -> ServerFailed | None:
        """Restart servers that have ended; returns the error if one cannot be restarted.

        A server comes back on its port and its data. Call it every second or so.
        """
        return self._supervisor.failed() if self._supervisor else None

    def stop(self, waiting: Waiting = lambda _, __: None) -> None:
        """Remove the published addresses and stop the servers; stop their clients before.

        Safe to repeat.
        """
        self._cancelled.set()
        if self._directory is None:
            return
        EmbeddedAddresses.remove(self._settings.data_dir)
        if self._supervisor:
            self._supervisor.stop(waiting)
        self._directory.release()
        self._directory = None
        self._supervisor = None
        self.addresses = EmbeddedAddresses()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
