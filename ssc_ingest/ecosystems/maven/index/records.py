"""The meaning of the index's documents, and their conversion to lines.

A document concerns the index itself (:mod:`.documents` skips those), or names a removed artifact in
``del``, or describes an added artifact in ``u``. Artifacts are written
``group|artifact|version|classifier|extension``, the last part optional, ``NA`` for no classifier.
``m`` is the time when the document was added to the index, in milliseconds since 1970, not the time
of the file.

An artifact without classifier is a version; one with a classifier (sources, javadoc) is a further
file of a version. Names outside ASCII do not exist (:mod:`ssc_ingest.ecosystems.maven.identity`),
so the texts' encoding, Java's modified UTF-8, does not matter.
"""

import re
from collections import deque
from collections.abc import Iterable, Iterator, Sequence

from ssc_ingest.ecosystems.maven.index.documents import Row

Lines = list[bytes]

SEPARATOR = b"\t"
"""Separates name and version in a line of :class:`Changes`."""
BEHIND_VERSIONS = b"\n"
"""A name with this suffix sorts after all lines of its package and before all later ones."""

# Printable characters without separators: | in the index, : in names, tab and line feed in lines.
_VERSION = re.compile(rb"([!-9;-{}~]+)\|([!-9;-{}~]+)\|([!-{}~]+)\|NA(?:\|[!-{}~]*)?")
_FURTHER_FILE = re.compile(rb"[^|]+\|[^|]+\|[^|]+\|(?!NA(?:\||$))[^|]+(?:\|[^|]*)?")

EXAMPLES = 5


class _Pass:
    """Counts the unusable documents of a pass."""

    def __init__(self) -> None:
        self.skipped = 0
        """Number of documents with neither an addition nor a removal."""
        self.examples: list[str] = []
        """Some of them, for messages."""

    def _skip(self, uinfo: bytes | None) -> None:
        if uinfo is not None and _FURTHER_FILE.fullmatch(uinfo):
            return
        self.skipped += 1
        if len(self.examples) < EXAMPLES:
            self.examples.append((uinfo or b"")[:100].decode("ascii", "backslashreplace"))


class Names(_Pass):
    """Lines ``group:artifact`` of every package that has a version."""

    def __init__(self, known_to: bytes = b"", since: int | None = None) -> None:
        """Select all packages, but those up to ``known_to`` only if added after ``since`` (ms)."""
        super().__init__()
        self._known_to, self._since = known_to, since
        # The files and versions of a package are usually adjacent.
        self._last = b"|"

    def __call__(self, rows: Iterable[Row]) -> Lines:
        """The lines of some documents."""
        lines = []
        last = self._last
        for uinfo, modified, removed in rows:
            if removed is not None:
                continue
            if uinfo is None:
                self._skip(uinfo)
            elif not uinfo.startswith(last):
                if match := _VERSION.fullmatch(uinfo):
                    group, artifact, _ = match.groups()
                    name = b"%b:%b" % (group, artifact)
                    if name > self._known_to or not _came_before(modified, self._since):
                        lines.append(name)
                        last = b"%b|%b|" % (group, artifact)
                else:
                    self._skip(uinfo)
        self._last = last
        return lines


class Changes(_Pass):
    """Lines ``group:artifact<TAB>version`` of every version that was added.

    A removed version makes a line without version: the package has to be read again.
    """

    def __init__(self, since: int | None = None) -> None:
        """Select all documents, or those added after ``since`` (ms)."""
        super().__init__()
        self._since = since
        self._last = b"|"

    def __call__(self, rows: Iterable[Row]) -> Lines:
        """The lines of some documents."""
        lines = []
        for uinfo, modified, removed in rows:
            if _came_before(modified, self._since):
                continue
            about = uinfo if removed is None else removed
            if about is None:
                self._skip(about)
            elif removed is not None or not about.startswith(self._last):
                if match := _VERSION.fullmatch(about):
                    group, artifact, version = match.groups()
                    if removed is None:
                        self._last = b"%b|%b|%b|" % (group, artifact, version)
                    else:
                        version = b""
                    lines.append(b"%b:%b%b%b" % (group, artifact, SEPARATOR, version))
                else:
                    self._skip(about)
        return lines


def _came_before(modified: bytes | None, since: int | None) -> bool:
    """Whether a document was certainly added before a time."""
    return bool(since is not None and modified and modified.isdigit() and int(modified) <= since)


def by_package(lines: Iterable[bytes], most: int) -> Iterator[tuple[str, Sequence[str]]]:
    """Each package with its last ``most`` versions, from sorted lines of :class:`Changes`."""
    package, versions = "", deque[str](maxlen=most)
    for line in lines:
        name, _, version = line.decode("ascii").partition(SEPARATOR.decode())
        if name != package:
            if package:
                yield package, tuple(versions)
            package = name
            versions.clear()
        if version:
            versions.append(version)
    if package:
        yield package, tuple(versions)
