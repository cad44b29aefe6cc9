"""Copies of signed jars without their signatures, for a faster start of Java.

For each service that Java looks up in a signed jar, it verifies the signatures anew, and Eclipse
Collections looks up a hundred at a start. Java also keeps a signed jar's classes out of its class
archive. A copy is made of a jar whose checksum in the lock was verified, and has its own checksum
in its name.
"""

import re
from pathlib import Path
from threading import Event
from zipfile import ZipFile

from ssc_ingest.embedded.jars import Jar, JarCache, sha256

SIGNED = "org.eclipse.collections:"
"""How the coordinates of Neo4j's signed jars begin."""

SIGNATURE = re.compile(r"META-INF/(SIG-[^/]*|[^/]+\.(SF|RSA|DSA|EC))", re.IGNORECASE)
"""Names of entries, see https://docs.oracle.com/en/java/javase/21/docs/specs/jar/jar.html."""

MANIFEST = "META-INF/MANIFEST.MF"
BETWEEN_SECTIONS = re.compile(rb"\r?\n\r?\n")
"""The first section of a manifest describes the jar. Each other one has the digests of an entry."""


def unsigned(jar: Jar, cache: JarCache, cancelled: Event) -> Path:
    """The file to load instead of a verified jar: an unsigned copy beside it, or the jar itself.

    Args:
        jar: the line of the lock.
        cache: the folder of the jar's file.
        cancelled: another thread sets it to end the wait for a process that uses the cache.
    """
    path = cache.path(jar)
    if not jar.coordinate.startswith(SIGNED):
        return path
    if copy := _copy_of(path):
        return copy
    try:
        with cache.exclusive(cancelled):
            return _copy_of(path) or _write(path)
    except OSError:  # a cache that was filled by another user, or a full disk
        return path


def _copy_of(path: Path) -> Path | None:
    """The complete copy of a jar."""
    copies = path.parent.glob(f"{path.stem}-unsigned-*.jar")
    return next((copy for copy in copies if copy == _named(path, copy)), None)


def _named(path: Path, copy: Path) -> Path:
    return path.with_name(f"{path.stem}-unsigned-{sha256(copy)[:16]}.jar")


def _write(path: Path) -> Path:
    new = path.with_name(f"{path.stem}-unsigned.new")
    try:
        with ZipFile(path) as signed, ZipFile(new, "w") as written:
            for entry in signed.infolist():
                content = signed.read(entry)
                if entry.filename == MANIFEST:
                    content = BETWEEN_SECTIONS.split(content, maxsplit=1)[0] + b"\r\n\r\n"
                if not SIGNATURE.fullmatch(entry.filename):
                    written.writestr(entry, content)
        return new.replace(_named(path, new))
    finally:
        new.unlink(missing_ok=True)
