"""The command in the container: prints the names of all packages in an index as lines of JSON.

``python -m ssc_ingest.ecosystems.maven.index FILE|URL`` writes ``{"name": "group:artifact"}`` for
each package, in order, and finally ``{"total": ...}``; without it, the output is incomplete.
Messages for people go to standard error.
"""

import argparse
import contextlib
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO
from urllib.error import URLError
from urllib.request import HTTPRedirectHandler, Request, build_opener

from ssc_ingest.ecosystems.maven.index.index_pass import Pass
from ssc_ingest.ecosystems.maven.index.records import Names
from ssc_ingest.ecosystems.maven.index.sorted_lines import SortedLines
from ssc_ingest.errors import RegistryError

TIMEOUT = 120
"""Seconds without data until the transfer counts as broken."""

UNAVAILABLE = 69
BROKEN_PIPE = 141
INTERRUPTED = 130


class _NoRedirects(HTTPRedirectHandler):
    """Rejects redirects, so that only the caller chooses the contacted host."""

    def redirect_request(self, *_: object) -> None:
        """Do not follow; the response becomes an error."""


@contextlib.contextmanager
def _opened(source: str, user_agent: str) -> Iterator[IO[bytes]]:
    if not source.startswith(("http://", "https://")):
        with Path(source).open("rb") as file:
            yield file
        return
    request = Request(source, headers={"User-Agent": user_agent})  # noqa: S310 - see above
    with build_opener(_NoRedirects).open(request, timeout=TIMEOUT) as response:
        yield response


def _write_names(source: str, user_agent: str) -> None:
    with _opened(source, user_agent) as file, SortedLines() as lines:
        reading = Pass(file, Names(), lines, url=source)
        for progress in reading:
            if progress:
                _report(f"{progress.documents} documents")
        total = lines.finish()
        _report(f"{reading.progress.documents} documents, {total} packages")
        if skipped := reading.records.skipped:
            _report(f"{skipped} documents are unusable, for example {reading.records.examples}")
        for line in lines.after(b""):
            sys.stdout.write(json.dumps({"name": line.decode("ascii")}) + "\n")
        sys.stdout.write(json.dumps({"total": total}) + "\n")
        sys.stdout.flush()


def _report(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m ssc_ingest.ecosystems.maven.index",
        description="Print the names of all packages in a Maven index as lines of JSON.",
    )
    parser.add_argument("source", metavar="FILE|URL", help="nexus-maven-repository-index.gz")
    parser.add_argument("--user-agent", default="SSC-Ingest", help="for requests to a URL")
    options = parser.parse_args(arguments)
    try:
        _write_names(options.source, options.user_agent)
    except BrokenPipeError:
        return BROKEN_PIPE
    except KeyboardInterrupt:
        return INTERRUPTED
    except (RegistryError, URLError, OSError) as error:
        _report(f"{options.source}: {error}")
        return UNAVAILABLE
    return 0


if __name__ == "__main__":
    sys.exit(main())
