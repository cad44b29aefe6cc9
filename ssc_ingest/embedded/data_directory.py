"""The data directory of the embedded servers, locked by one process at a time."""

import contextlib
import errno
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

from ssc_ingest.embedded.errors import AlreadyRunning, NoSpaceLeft, StorageUnusable
from ssc_ingest.servers import LOCK_FILE

# A reader (`servers.is_held`) may hold the lock for a moment, and the servers of a killed process
# take a moment to end.
LOCK_TIMEOUT = 0.5  # seconds
ORPHAN_TIMEOUT = 5.0


class DataDirectory:
    """A lock on a data directory, which the kernel releases when its last holder ends.

    The servers inherit the descriptor (:attr:`descriptor`). So the directory is in use while one of
    them runs, even if the process that started it has ended. The lock file alone means nothing.
    """

    def __init__(self, path: Path) -> None:
        """Create the directory if it does not exist (mode 0700) and take the lock.

        Raises:
            AlreadyRunning: another process holds it.
            StorageUnusable: the directory cannot be written to.
        """
        self.path = path
        with usable_storage(path, "DATA_DIR"):
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.descriptor = os.open(
                path / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600
            )
        try:
            self._acquire()
            self.record_group(0)
        except BaseException:
            os.close(self.descriptor)
            raise

    def _acquire(self) -> None:
        begin = time.monotonic()
        while True:
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(self.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            waited = time.monotonic() - begin
            holder, group = self._holder()
            if waited > LOCK_TIMEOUT and is_running(holder):
                raise AlreadyRunning(
                    f"{self.path} is in use by process {holder}: use that one, stop it, or set "
                    "DATA_DIR to another directory",
                    pid=holder,
                )
            if waited > ORPHAN_TIMEOUT:
                raise AlreadyRunning(
                    f"{self.path} is in use by servers whose parent, process {holder}, is gone: "
                    f"end them with `kill -KILL -- -{group}`",
                    pid=group,
                )
            time.sleep(0.1)

    def _holder(self) -> tuple[int, int]:
        """The process and process group that :meth:`record_group` stored; zeros while it writes."""
        pid, _, group = os.pread(self.descriptor, 100, 0).partition(b" ")
        return int(pid or 0), int(group or 0)

    def record_group(self, group: int) -> None:
        """Store the holder of the lock and the process group of its servers."""
        with usable_storage(self.path, "DATA_DIR"):
            os.ftruncate(self.descriptor, 0)
            os.pwrite(self.descriptor, f"{os.getpid()} {group}\n".encode(), 0)

    def release(self) -> None:
        """Close our descriptor; the lock is released when all servers have ended, too."""
        os.close(self.descriptor)


def is_running(pid: int) -> bool:
    """Whether a process with this id exists."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return pid > 0


@contextlib.contextmanager
def usable_storage(path: Path, setting: str) -> Iterator[None]:
    """Convert failed writes to errors with a remedy.

    Raises:
        NoSpaceLeft: the disk or the user's quota is full.
        StorageUnusable: permission denied, read-only, not a directory, ...
    """
    try:
        yield
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise NoSpaceLeft(
                f"no space left for {path}: free some, or set {setting} to another disk"
            ) from error
        raise StorageUnusable(
            f"cannot write to {path} ({error.strerror or error}): set {setting} to a directory "
            "that you can write to"
        ) from error
