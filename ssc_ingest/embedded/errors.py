"""What can go wrong with the embedded servers; each text says what to do about it.

.. code-block:: text

    EmbeddedError
    ├── ServerUnavailable     a server cannot run on this machine: not installed, no Java, old glibc
    ├── DownloadError         the server's jars cannot be had
    │   └── ChecksumMismatch  what was downloaded is not what the lock names
    ├── StorageUnusable       the cache or the data directory cannot be written to
    │   └── NoSpaceLeft       the disk is full
    ├── AlreadyRunning(pid)   another process runs its servers on this data directory
    ├── Cancelled             the start was given up because another server could not start
    └── ServerFailed(name)    a server did not start, or ended on its own
        └── PortTaken         somebody else took the port, several times over
"""

from ssc_ingest.errors import IngestError


class EmbeddedError(IngestError):
    """The embedded servers cannot run."""


class ServerUnavailable(EmbeddedError):
    """A server cannot run on this machine as it is; the text says what to install."""


class DownloadError(EmbeddedError):
    """The jars of the graph server cannot be downloaded."""


class ChecksumMismatch(DownloadError):
    """A downloaded file is not the one that the lock names; it was deleted."""


class StorageUnusable(EmbeddedError):
    """The cache or the data directory cannot be written to; the text names its setting."""


class NoSpaceLeft(StorageUnusable):
    """The disk that holds the cache or the data is full."""


class AlreadyRunning(EmbeddedError):
    """The data directory is in use by the process ``pid``."""

    def __init__(self, message: str, *, pid: int) -> None:
        super().__init__(message)
        self.pid = pid


class Cancelled(EmbeddedError):
    """The start was given up, because another process could not start or somebody stopped it."""


class ServerFailed(EmbeddedError):
    """A server did not become ready, or ended without being told to. ``name`` says which."""

    def __init__(self, message: str, *, name: str) -> None:
        super().__init__(message)
        self.name = name


class PortTaken(ServerFailed):
    """The port that was free a moment ago is taken, several times over."""
