"""The child process: sources on standard input, a JSON list of names on standard output."""

import sys
from contextlib import suppress
from importlib import import_module

from ssc_ingest.source_code.isolated import MAX_MEMORY, TIME_LIMIT, read_input, write_output

_MODULES = {"ruby": "ruby_constants", "rust": "rust_exports"}
"""By language; each loads only its own grammar."""


def _limit() -> None:
    """Limit memory and processor time, so that the child also ends if its parent was killed."""
    with suppress(ImportError, ValueError, OSError):  # not on Windows; or the limit is lower
        import resource  # noqa: PLC0415

        resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY, MAX_MEMORY))
        seconds = int(TIME_LIMIT) + 1
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def main() -> None:
    """Parse the files of one package."""
    _limit()
    options, files = read_input(sys.stdin.buffer)
    module = import_module(f"ssc_ingest.source_code.{_MODULES[sys.argv[1]]}")
    write_output(module.names(files, **options), sys.stdout.buffer)


if __name__ == "__main__":
    main()
