"""Parses source code in a child process with limits of time and memory.

The parsers are C libraries that hold Python's lock while they parse, and the sources are anybody's:
a child can be stopped, and its crash harms nothing. A child starts in some 0.1 s.
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
        ParserFailed: it exceeded a limit, or crashed.
    """
    return await asyncio.to_thread(_run, language, options, files)


def _run(language: str, options: Mapping[str, Any], files: Mapping[str, bytes]) -> frozenset[str]:
    command = [sys.executable, "-m", "ssc_ingest.source_code", language]
    sizes = [(path, len(content)) for path, content in files.items()]
    head = json.dumps({"options": options, "files": sizes}).encode() + b"\n"
    try:
        done = subprocess.run(  # noqa: S603 - our own module
            command,
            input=b"".join([head, *files.values()]),
            capture_output=True,
            timeout=TIME_LIMIT,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ParserFailed(f"parsing takes more than {TIME_LIMIT:.0f} s") from error
    if done.returncode or len(done.stdout) > MAX_OUTPUT:
        last = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        raise ParserFailed(f"the parser ended with {done.returncode}: {last[:200]}")
    return frozenset(json.loads(done.stdout))


def read_input(stream: BinaryIO) -> tuple[dict[str, Any], dict[str, bytes]]:
    """In the child: the options and the files."""
    head = json.loads(stream.readline())
    return head["options"], {path: stream.read(size) for path, size in head["files"]}


def write_output(names: Iterable[str], stream: BinaryIO) -> None:
    """In the child: pass the names to the parent."""
    stream.write(json.dumps(sorted(names)).encode())
