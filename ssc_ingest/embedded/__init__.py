"""The three servers that run when none is configured: Neo4j, Valkey, a MongoDB-protocol server.

:class:`EmbeddedStack` starts and stops them. :class:`ProcessGroup` is the piece below it, for
everything else that must not outlive its parent.
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
    "ServerFailed",
    "ServerUnavailable",
    "StartProgress",
    "StorageUnusable",
    "progress_for",
]
