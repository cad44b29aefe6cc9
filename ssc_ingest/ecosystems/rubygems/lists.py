"""The compact index's two lists of all gems.

https://guides.rubygems.org/rubygems-org-compact-index-api/. ``/names`` has ``---`` and a name on
each line. ``/versions`` has, after a head that ends with ``---``::

    rake 0.8.0,0.8.1-java 6b1c8a0f...
    rake -0.8.0 04f1b1cd...

a gem with its new versions (yanked ones with a minus), and the new MD5 of its file. Lines are added
at the end; the last line of a gem is valid. Once a month the list is rebuilt, with one line per gem
and another ``created_at`` in its head.

Lists are files or parts of files; one line at a time is in memory.
"""

import hashlib
import re
from collections.abc import Iterator
from typing import IO, NamedTuple

from ssc_ingest.ecosystems.base import Change
from ssc_ingest.ecosystems.rubygems.info import compare_digest
from ssc_ingest.errors import MalformedMetadata

MAX_LINE_LENGTH = 4 * 1024 * 1024
"""Bytes; gems with thousands of versions have some 100 KB."""

MAX_LINES = 20_000_000
"""There are some 200,000 gems, and as many new lines in a month."""

MAX_HEAD_LENGTH = 4096
"""Maximum bytes of the head, which has one short line."""

OVERLAP = 1024
"""Number of bytes before a position that identify it."""

NO_VERSIONS = hashlib.md5(b"---\n", usedforsecurity=False).hexdigest()
"""The MD5 of a gem's file after the last version was yanked."""

_BLOCK = 1024 * 1024
_MD5 = re.compile(rb"[0-9a-f]{32}")


def digest_of(file: IO[bytes], announced: str, url: str) -> str:
    """The SHA-256 of a list (hexadecimal).

    Raises:
        RegistryUnavailable: the ``Repr-Digest`` header announces another one.
    """
    found = hashlib.sha256()
    file.seek(0)
    while block := file.read(_BLOCK):
        found.update(block)
    compare_digest(found.digest(), announced, url)
    return found.hexdigest()


class Place(NamedTuple):
    """The end of a line: its offset in the list, and a digest of the bytes before it."""

    offset: int
    tail: str


class Line(NamedTuple):
    """One line of ``/versions``, and the offset of its end."""

    name: str
    md5: str | None
    """``None`` if the line has no valid MD5."""
    end: int

    @property
    def change(self) -> Change:
        """The change, with the validator that the gem's file has when it is as new as the line."""
        if self.md5 is None:
            return Change(self.name)
        etag = f'"{self.md5}"'
        return Change(self.name, self.md5 == NO_VERSIONS, expected=self.md5, etag=etag)


class Lists:
    """A list, or its part from byte ``base``.

    The methods do blocking I/O; call them in a thread.
    """

    def __init__(self, file: IO[bytes], url: str, base: int = 0) -> None:
        self._file = file
        self._url = url
        self._base = base

    def head(self) -> str:
        """The text before the first line; a rebuilt list has another one.

        Raises:
            MalformedMetadata: the file is not a list.
        """
        self._file.seek(0)
        return head_of(self._file.read(MAX_HEAD_LENGTH), self._url)

    def names(self) -> Iterator[str]:
        """The names of ``/names``; at least one."""
        count = 0
        for line, _ in self._lines(len(self.head())):
            count += 1
            yield line.decode(errors="replace")
        if not count:
            raise MalformedMetadata("the list of names is empty", url=self._url)

    def latest_lines(self, offset: int) -> Iterator[Line]:
        """Each gem's last line in ``/versions`` from an offset on.

        Reads the part twice, and keeps one number per gem in memory. An incomplete last line is
        left for later.
        """
        first: set[int] = set()
        last: dict[bytes, int] = {}
        for line, end in self._lines(offset):
            name = line.split(b" ", 1)[0]
            if name in last or hash(name) in first:
                last[name] = end
            else:
                first.add(hash(name))
        first.clear()
        for line, end in self._lines(offset):
            name, _, rest = line.partition(b" ")
            if last.get(name, end) == end:
                md5 = rest.rpartition(b" ")[2]
                known = md5.decode() if _MD5.fullmatch(md5) else None
                yield Line(name.decode(errors="replace"), known, end)

    def end(self) -> int:
        """The offset of the end of the last complete line."""
        size = self._file.seek(0, 2)
        step = min(size, MAX_LINE_LENGTH)
        self._file.seek(size - step)
        behind = self._file.read(step).rpartition(b"\n")
        return self._base + size - len(behind[2])

    def place(self, offset: int) -> Place:
        """The position with that offset."""
        begin = max(0, offset - OVERLAP)
        reading = self._file.tell()  # an iteration may be in progress
        self._file.seek(max(0, begin - self._base))
        tail = tail_of(self._file.read(offset - begin))
        self._file.seek(reading)
        return Place(offset, tail)

    def _lines(self, offset: int) -> Iterator[tuple[bytes, int]]:
        """The complete, non-empty lines from an offset on, without line ends."""
        self._file.seek(offset - self._base)
        for _ in range(MAX_LINES):
            line = self._file.readline(MAX_LINE_LENGTH + 1)
            if len(line) > MAX_LINE_LENGTH:
                break
            if not line.endswith(b"\n"):
                return
            offset += len(line)
            if text := line.rstrip(b"\r\n"):
                yield text, offset
        raise MalformedMetadata(
            f"the list has more than {MAX_LINES} lines, or a line of more than "
            f"{MAX_LINE_LENGTH} bytes",
            url=self._url,
        )


def head_of(begin: bytes, url: str) -> str:
    """The text before the first line of a list that starts with ``begin``.

    Raises:
        MalformedMetadata: the file is not a list.
    """
    match = re.match(rb"(?:[^\n]*\n)*?---\r?\n", begin)
    if match is None:
        raise MalformedMetadata("a list of gems without a line ---", url=url)
    return match[0].decode("latin-1")


def tail_of(data: bytes) -> str:
    """The digest of the bytes before a position."""
    return hashlib.sha256(data[-OVERLAP:]).hexdigest()
