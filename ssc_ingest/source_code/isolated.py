"""Parses source code in a child process with limits of time and memory.

The parsers are C libraries that hold Python's global interpreter lock, and the sources are
untrusted. A child process can be stopped, and its crash affects nothing else. A child starts in
some 0.1 s.
"""

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterable, Mapping
from typing import Any, BinaryIO

from ssc_ingest.errors import IngestError

TIME_LIMIT = 20.0
"""Seconds for one package; tokio's and libc's sources need some 2."""

MAX_MEMORY = 2 * 1024**3
"""Bytes of address space of a child."""

MAX_NAMES = 20_000
"""Names of one package; the graph stores fewer."""

MAX_OUTPUT = 16 * 1024 * 1024
"""Characters of a result."""


class ParserFailed(IngestError):
    """The parser exceeded a limit of time or memory, or crashed."""


async def parse_isolated(
    language: str, options: Mapping[str, Any], files: Mapping[str, bytes]
) -> frozenset[str]:
    """The names that the files define, found by the child of this language.

    Args:
        language: ``rust`` or ``ruby``.
        options: passed to the language's ``names`` function.
        files: contents by path.

    Raises:
        ParserFailed: the child exceeded a limit, or crashed.
    """
    sizes = [(path, len(content)) for path, content in files.items()]
    head = json.dumps({"options": options, "files": sizes}).encode() + b"\n"
    child = _Child(language)
    work = asyncio.ensure_future(asyncio.to_thread(child.run, b"".join([head, *files.values()])))
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        child.stop()
        await asyncio.wait([work])
        if not work.cancelled():
            work.exception()  # marks the exception as retrieved
        raise


class _Child:
    """One child process, run in a thread."""

    def __init__(self, language: str) -> None:
        self._command = [sys.executable, "-m", "ssc_ingest.source_code", language]
        self._process: subprocess.Popen[bytes] | None = None
        self._stopped = False

    def run(self, sources: bytes) -> frozenset[str]:
        """Pass the sources to the child, and wait for its names."""
        pipe = subprocess.PIPE
        with subprocess.Popen(  # noqa: S603 - our own module
            self._command, stdin=pipe, stdout=pipe, stderr=pipe
        ) as process:
            self._process = process
            if self._stopped:
                process.kill()
            try:
                output, problems = process.communicate(sources, timeout=TIME_LIMIT)
            except subprocess.TimeoutExpired as error:
                process.kill()
                raise ParserFailed(f"parsing takes more than {TIME_LIMIT:.0f} s") from error
        if process.returncode or len(output) > MAX_OUTPUT:
            last = problems.decode(errors="replace").strip().rpartition("\n")[2]
            raise ParserFailed(f"the parser ended with {process.returncode}: {last[:200]}")
        return frozenset(json.loads(output))

    def stop(self) -> None:
        """End the child, also one that is only about to start."""
        self._stopped = True
        if self._process is not None:
            self._process.kill()


def read_input(stream: BinaryIO) -> tuple[dict[str, Any], dict[str, bytes]]:
    """In the child: the options and the files."""
    head = json.loads(stream.readline())
    return head["options"], {path: stream.read(size) for path, size in head["files"]}


def write_output(names: Iterable[str], stream: BinaryIO) -> None:
    """In the child: pass the names to the parent."""
    stream.write(json.dumps(sorted(names)).encode())
