"""Start Java faster, with an archive of the classes that the server loaded before.

Application class data sharing (https://openjdk.org/jeps/350) halves the CPU time of a start. The
first orderly stop writes the archive (some 90 MB, in a few seconds), and later starts map it. Java
checks that an archive fits its build and class path, and otherwise ignores it.
"""

import contextlib
import hashlib
import os
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

UNUSED_AFTER = 30 * 86_400  # seconds
QUIET = "-Xlog:cds*=off"  # hundreds of lines about classes that cannot be archived


class ClassArchive:
    """The archive of one Java and class path, in a folder shared by the user's checkouts."""

    def __init__(self, folder: Path, java: Path, jars: Sequence[Path]) -> None:
        """Compute the archive's name; writes nothing.

        Args:
            folder: where archives are kept.
            java: the ``java`` program.
            jars: the class path; the name depends on its order and the jars' times.
        """
        self._java = java.resolve()
        identity = [f"{path}:{path.stat().st_mtime_ns}" for path in (self._java, *jars)]
        name = hashlib.sha256("\n".join(identity).encode()).hexdigest()[:16]
        self._folder = folder
        self._archive = folder / f"{name}.jsa"
        self._base = folder / f"{name}-base.jsa"
        self._new = folder / f"{name}-{os.getpid()}.new"

    def options(self) -> list[str]:
        """Java's options: use the archive, or write one at an orderly stop."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError:  # a cache that was filled by another user
            return []
        self._remove_unused()
        if self._archive.exists():
            for used in (self._archive, self._base):
                with contextlib.suppress(OSError):
                    os.utime(used)
            return [f"-XX:SharedArchiveFile={self._archive}", QUIET]
        record = [f"-XX:ArchiveClassesAtExit={self._new}", QUIET]
        if (self._java.parents[1] / "lib" / "server" / "classes.jsa").exists():
            return record
        # A Java made by jlink lacks the archive of its own classes, which the application's archive
        # extends.
        if not self._base.exists() and not self._make_base():
            return []
        return [f"-XX:SharedArchiveFile={self._base}", *record]

    def keep(self) -> None:
        """Use the new archive from now on; call this after an orderly stop."""
        with contextlib.suppress(FileNotFoundError):
            self._new.replace(self._archive)

    def _make_base(self) -> bool:
        command = [str(self._java), "-Xshare:dump", f"-XX:SharedArchiveFile={self._new}", QUIET]
        try:
            subprocess.run(command, check=True, capture_output=True, timeout=60)  # noqa: S603
            self._new.replace(self._base)
        except (OSError, subprocess.SubprocessError):
            return False  # slower, but it works
        return True

    def _remove_unused(self) -> None:
        """Archives of unused Javas or jars, and incomplete archives of killed processes."""
        for file in self._folder.iterdir():
            with contextlib.suppress(OSError):  # already deleted, or owned by another user
                if time.time() - file.stat().st_mtime > UNUSED_AFTER:
                    file.unlink()
