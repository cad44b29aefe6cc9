"""Errors of the embedded servers; each text suggests a remedy.

.. code-block:: text

    EmbeddedError
    ├── ServerUnavailable     a server cannot run on this machine: not installed, no Java, old glibc
    ├── DownloadError         the server's jars cannot be downloaded
    │   └── ChecksumMismatch  a downloaded file differs from the lock
    ├── StorageUnusable       the cache or the data directory is not writable
    │   └── NoSpaceLeft       the disk is full
    ├── AlreadyRunning(pid)   another process runs its servers on this data directory
    ├── Cancelled             another process could not start, so the start was cancelled
    └── ServerFailed(name)    a process did not start, or exited
        └── PortTaken         other programs use all tried ports
"""

from ssc_ingest.errors import IngestError


class EmbeddedError(IngestError):
    """The embedded servers cannot run."""


class ServerUnavailable(EmbeddedError):
    """A server cannot run on this machine; the text says what to install."""


class DownloadError(EmbeddedError):
    """The jars of the graph server cannot be downloaded."""


class ChecksumMismatch(DownloadError):
    """A downloaded file differs from the lock file's entry; it was deleted."""


class StorageUnusable(EmbeddedError):
    """The cache or the data directory is not writable; the text names its setting."""


class NoSpaceLeft(StorageUnusable):
    """The disk that holds the cache or the data is full."""


class AlreadyRunning(EmbeddedError):
    """The data directory is in use by the process ``pid``."""

    def __init__(self, message: str, *, pid: int) -> None:
        super().__init__(message)
        self.pid = pid


class Cancelled(EmbeddedError):
    """The start was cancelled: another process could not start, or a signal stopped it."""


class ServerFailed(EmbeddedError):
    """The process ``name`` did not become ready, or exited."""

    def __init__(self, message: str, *, name: str) -> None:
        super().__init__(message)
        self.name = name


class PortTaken(ServerFailed):
    """Other programs use all tried ports."""
