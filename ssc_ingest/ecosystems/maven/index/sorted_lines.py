"""Distinct lines in order, without holding all of them in memory: an external merge sort.

Lines are collected in a set. A full set is sorted and written to disk; finally the files are
merged. Lines are compared as a whole, so no line is lost by a hash collision.
"""

import heapq
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from itertools import islice
from typing import IO, Self

MAX_IN_MEMORY = 250_000
"""Maximum lines in memory, some 25 MB."""
MAX_FILES = 64
"""Number of sorted files that are merged into one."""
BATCH_SIZE = 10_000
"""Lines written at a time."""


class SortedLines:
    """A private collection of lines; its files are deleted when its block ends."""

    def __init__(self, most_in_memory: int = MAX_IN_MEMORY, most_files: int = MAX_FILES) -> None:
        self._most = most_in_memory
        self._most_files = most_files
        self._gathered: set[bytes] = set()
        self._files: list[IO[bytes]] = []
        self._count = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def add(self, lines: Iterable[bytes]) -> None:
        """Add lines without line feeds; repeated lines change nothing."""
        self._gathered.update(lines)
        if len(self._gathered) > self._most:
            self._spill()
            if len(self._files) >= self._most_files:
                self._merge()

    def finish(self) -> int:
        """Sort all lines; returns the number of distinct lines."""
        self._spill()
        if len(self._files) != 1:
            self._merge()
        return self._count

    def after(self, line: bytes) -> Iterator[bytes]:
        """The lines greater than ``line``, in order; call :meth:`finish` before."""
        (file,) = self._files
        file.seek(0)
        return (each for each in _lines(file) if each > line)

    def _spill(self) -> None:
        if self._gathered:
            self._count = self._write(sorted(self._gathered))
            self._gathered = set()

    def _merge(self) -> None:
        with ExitStack() as done:
            for file in self._files:
                done.enter_context(file).seek(0)
            merged = _distinct(heapq.merge(*map(_lines, self._files)))
            self._files = []
            self._count = self._write(merged)

    def _write(self, lines: Iterable[bytes]) -> int:
        file = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the collection
        self._files.append(file)
        count = 0
        remaining = iter(lines)
        while some := list(islice(remaining, BATCH_SIZE)):
            file.write(b"\n".join(some) + b"\n")
            count += len(some)
        return count

    def _close(self) -> None:
        for file in self._files:
            file.close()
        self._files = []


def _lines(file: IO[bytes]) -> Iterator[bytes]:
    return (line[:-1] for line in file)


def _distinct(lines: Iterable[bytes]) -> Iterator[bytes]:
    last = None
    for line in lines:
        if line != last:
            yield line
            last = line
