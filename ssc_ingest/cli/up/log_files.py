"""The logs of the processes of ``up``, in files: ``DATA_DIR/logs/<name>.log``.

``up`` writes them, and ``ssc-ingest logs`` reads them. One file has at most 5 MiB, and one older
file is kept.
"""

import logging
import os
from collections import deque
from collections.abc import Iterator
from itertools import chain
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import TextIO

FILE_SIZE = 5 * 1024 * 1024
SUFFIX = ".log"
OLDER = ".1"
"""The ending that the rotating handler gives to the older file."""


def log_folder(data_dir: Path) -> Path:
    """The folder of the logs."""
    return data_dir / "logs"


class LogWriter:
    """Appends the lines of one process to its file.

    Raises:
        OSError: the file cannot be opened.
    """

    def __init__(self, data_dir: Path, name: str) -> None:
        folder = log_folder(data_dir)
        folder.mkdir(parents=True, exist_ok=True)
        self._file = _Quiet(
            folder / f"{name}{SUFFIX}", maxBytes=FILE_SIZE, backupCount=1, encoding="utf-8"
        )

    def write(self, line: str) -> None:
        """Append one line; a full disk must not stop the process that wrote it."""
        self._file.handle(logging.makeLogRecord({"msg": line}))

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class _Quiet(RotatingFileHandler):
    """Drops a line that cannot be written, because it cannot be reported in the log either."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        pass


def log_names(data_dir: Path) -> list[str]:
    """The names of the processes that have a log."""
    return sorted(path.stem for path in log_folder(data_dir).glob(f"*{SUFFIX}"))


class LogReader:
    """Reads the log of one process, and then what is appended, also after a rotation."""

    def __init__(self, data_dir: Path, name: str) -> None:
        self.name = name
        self._path = log_folder(data_dir) / f"{name}{SUFFIX}"
        self._file: TextIO | None = None
        self._part = ""

    def last(self, lines: int) -> list[str]:
        """The last lines; :meth:`appended` continues after them."""
        older = self._path.with_name(self._path.name + OLDER)
        with _opened(older) as before:
            self._file = _opened(self._path)
            return [line.rstrip("\n") for line in deque(chain(before, self._file), maxlen=lines)]

    def appended(self) -> Iterator[str]:
        """The complete lines that were appended since the last call."""
        if self._file is None:
            self._file = _opened(self._path)
        yield from self._read(self._file)
        if self._is_rotated(self._file):
            yield from self._read(self._file)  # what was written until the rotation
            self._file.close()
            self._file = _opened(self._path)
            yield from self._read(self._file)

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()

    def _read(self, file: TextIO) -> Iterator[str]:
        while text := file.readline():
            self._part += text
            if self._part.endswith("\n"):
                yield self._part[:-1]
                self._part = ""

    def _is_rotated(self, file: TextIO) -> bool:
        try:
            return not os.path.samestat(self._path.stat(), os.fstat(file.fileno()))
        except FileNotFoundError:
            return False  # between the two steps of a rotation


def _opened(path: Path) -> TextIO:
    """The file, or an empty one while there is none."""
    try:
        return path.open(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return Path(os.devnull).open(encoding="utf-8")
