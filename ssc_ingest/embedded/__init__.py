"""The three embedded servers: Neo4j, Valkey and a MongoDB-protocol server.

:class:`EmbeddedStack` starts and stops them with a :class:`Supervisor`, which also runs other
programs that must not outlive their parent.
"""

from ssc_ingest.embedded.errors import (
    AlreadyRunning,
    ChecksumMismatch,
    DownloadError,
    EmbeddedError,
    NoSpaceLeft,
    PortTaken,
    ServerFailed,
    ServerUnavailable,
    StorageUnusable,
)
from ssc_ingest.embedded.process import ChildProcess, ProcessGroup
from ssc_ingest.embedded.progress import BarProgress, LineProgress, StartProgress, progress_for
from ssc_ingest.embedded.stack import EmbeddedStack
from ssc_ingest.embedded.supervisor import Program, Supervisor, Waiting

__all__ = [
    "AlreadyRunning",
    "BarProgress",
    "ChecksumMismatch",
    "ChildProcess",
    "DownloadError",
    "EmbeddedError",
    "EmbeddedStack",
    "LineProgress",
    "NoSpaceLeft",
    "PortTaken",
    "ProcessGroup",
    "Program",
    "ServerFailed",
    "ServerUnavailable",
    "StartProgress",
    "StorageUnusable",
    "Supervisor",
    "Waiting",
    "progress_for",
]
