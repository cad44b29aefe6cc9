"""The MongoDB-protocol server: vulnerabilities.

``secantusdb`` is GPL-2.0-only: it runs as a separate process and is never imported here.
"""

import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import pymongo
from pymongo.errors import PyMongoError

from ssc_ingest.embedded.data_directory import usable_storage
from ssc_ingest.embedded.ports import LOOPBACK
from ssc_ingest.embedded.process import ChildProcess
from ssc_ingest.embedded.progress import StartProgress
from ssc_ingest.embedded.server import EmbeddedServer

MODULE = "secantus"


class MongoServer(EmbeddedServer):
    """The daemon of the wheel ``secantusdb``."""

    name = "MongoDB"
    settings = "VULN_DB_URI"
    standard_port = 27017
    start_timeout = 60.0
    stop_grace = 10.0
    port_taken = "Address already in use"

    def __init__(self, folder: Path) -> None:
        """Keep the data in ``folder``."""
        self._folder = folder

    def prepare(self, progress: StartProgress) -> None:  # noqa: ARG002 - nothing to tell
        """Check that the wheel is installed, without importing it."""
        if find_spec(MODULE) is None:
            raise self.unavailable()
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def command(self, port: int) -> Sequence[str]:
        """Loopback only; acknowledged commits are on the disk."""
        configuration = self._folder / "secantusd.toml"
        with usable_storage(self._folder, "DATA_DIR"):
            configuration.write_text(
                ""
            )  # without it, the files in the home directory and in /etc count
        return [
            *(sys.executable, "-P", "-m", MODULE),
            *("--config", str(configuration)),
            *("--host", LOOPBACK, "--port", str(port)),
            *("--storage-path", str(self._folder / "data")),
            *("--cache-size", "256M", "--sync-on-commit", "--log-level", "WARNING"),
        ]

    def is_ready(self, port: int, child: ChildProcess) -> bool:
        """Whether our process responds to a ping."""
        client: pymongo.MongoClient[dict[str, object]] = pymongo.MongoClient(
            self.uri(port),
            serverSelectionTimeoutMS=1000,
            connectTimeoutMS=1000,
            socketTimeoutMS=1000,
        )
        with client:
            try:
                client.admin.command("ping")
                return bool(client.admin.command("serverStatus")["pid"] == child.pid)
            except PyMongoError:  # it does not listen yet
                return False

    def uri(self, port: int) -> str:
        """The address of a direct connection, because the server is not a replica set."""
        return f"mongodb://{LOOPBACK}:{port}/?directConnection=true"
