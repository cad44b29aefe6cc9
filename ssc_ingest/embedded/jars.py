"""The jars of the graph server: the lock file and the user's cache."""

import errno
import fcntl
import hashlib
import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from threading import Event

LOCK_FILE = "neo4j.lock"


@dataclass(frozen=True, slots=True)
class Jar:
    """One jar: a line of the lock file."""

    coordinate: str
    """``group:artifact:version`` or ``group:artifact:version:classifier``."""
    size: int
    """Size in bytes."""
    sha256: str

    @property
    def path(self) -> str:
        """The path in a Maven repository.

        See https://maven.apache.org/repositories/layout.html.
        """
        group, artifact, version, *classifier = self.coordinate.split(":")
        name = "-".join([artifact, version, *classifier])
        return f"{group.replace('.', '/')}/{artifact}/{version}/{name}.jar"


def read_lock(text: str | None = None) -> tuple[Jar, ...]:
    """Parse a lock file; by default this program's."""
    if text is None:
        text = files(__package__).joinpath(LOCK_FILE).read_text(encoding="utf-8")
    lines = (line.split() for line in text.splitlines() if line and not line.startswith("#"))
    return tuple(Jar(coordinate, int(size), sha256) for sha256, size, coordinate in lines)


class JarCache:
    """A folder in the layout of a Maven repository, shared by all checkouts of a user."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, jar: Jar) -> Path:
        """The path of the jar's file; the file may not exist yet."""
        return self.folder / jar.path

    def missing(self, jars: Iterable[Jar]) -> list[Jar]:
        """The jars that are missing or differ from the lock (takes a tenth of a second)."""
        jars = tuple(jars)
        with ThreadPoolExecutor() as pool:
            return [
                jar for jar, here in zip(jars, pool.map(self._has, jars), strict=True) if not here
            ]

    def _has(self, jar: Jar) -> bool:
        path = self.path(jar)
        try:
            return path.stat().st_size == jar.size and sha256(path) == jar.sha256
        except FileNotFoundError:
            return False

    @contextmanager
    def exclusive(self, cancelled: Event) -> Iterator[bool]:
        """Lock the cache for a download; yields whether another process had locked it before."""
        self.folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            waited = False
            while not cancelled.is_set():
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except OSError as error:
                    if error.errno != errno.EWOULDBLOCK:
                        raise
                waited = True
                cancelled.wait(0.2)
            yield waited
        finally:
            os.close(descriptor)


def sha256(path: Path) -> str:
    """The file's SHA-256 in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
