"""Copies of signed jars without their signatures, for a faster start of Java.

For each service that Java looks up in a signed jar, it verifies the signatures anew, and Eclipse
Collections looks up a hundred at a start. Java also keeps a signed jar's classes out of its class
archive. The lock's checksums, which are verified before, make these signatures superfluous.
"""

import contextlib
import os
import re
from pathlib import Path
from zipfile import ZipFile, is_zipfile

from ssc_ingest.embedded.jars import Jar

SIGNED = "org.eclipse.collections:"
"""How the coordinates of Neo4j's signed jars begin."""

SIGNATURE = re.compile(r"META-INF/[^/]+\.(SF|RSA|DSA|EC)")
"""Names of entries, see https://docs.oracle.com/en/java/javase/21/docs/specs/jar/jar.html."""

MANIFEST = "META-INF/MANIFEST.MF"
END_OF_SECTION = b"\r\n\r\n"
"""The first section of a manifest is about the jar, each other one has the digests of an entry."""


def unsigned(jar: Jar, path: Path) -> Path:
    """The file to load instead of a verified jar: an unsigned copy beside it, or the jar itself.

    Args:
        jar: the line of the lock.
        path: the jar's file.
    """
    if not jar.coordinate.startswith(SIGNED):
        return path
    copy = path.with_suffix(".unsigned.jar")
    if not is_zipfile(copy):  # it is missing, or incomplete after a crash of the machine
        try:
            _write(path, copy)
        except OSError:  # a cache that was filled by another user, or a full disk
            return path
    return copy


def _write(path: Path, copy: Path) -> None:
    new = copy.with_name(f"{copy.name}.{os.getpid()}.new")
    try:
        with ZipFile(path) as signed, ZipFile(new, "w") as written:
            for entry in signed.infolist():
                content = signed.read(entry)
                if entry.filename == MANIFEST:
                    content = content.partition(END_OF_SECTION)[0] + END_OF_SECTION
                if not SIGNATURE.fullmatch(entry.filename):
                    written.writestr(entry, content)
        # Two processes write equal copies; for Java and the class archive it is one file.
        modified = path.stat().st_mtime_ns
        os.utime(new, ns=(modified, modified))
        new.replace(copy)
    finally:
        with contextlib.suppress(OSError):
            new.unlink()
