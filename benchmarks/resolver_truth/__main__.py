"""``python -m benchmarks.resolver_truth ECOSYSTEM NAME...``."""

import argparse
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from benchmarks.resolver_truth.cargo import Cargo
from benchmarks.resolver_truth.comparison import compare
from benchmarks.resolver_truth.extraction import extraction
from benchmarks.resolver_truth.interface import Resolver
from benchmarks.resolver_truth.npm import Npm
from benchmarks.resolver_truth.pip import Pip
from benchmarks.resolver_truth.report import table

RESOLVERS: Mapping[str, type[Resolver]] = {"npm": Npm, "cargo": Cargo, "pypi": Pip}
"""The inventory, by the ecosystem's name."""


def main() -> None:
    """Compare roots, and print the table; the exit code is 1 if any differs."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.resolver_truth",
        description="Resolve packages from the graph alone, and compare with the ecosystem's tool. "
        "Packages that the graph lacks are read from their registry first, by name, at the default "
        "rates. Ctrl-C ends it; with --data, what was read is kept for the next time.",
    )
    parser.add_argument("ecosystem", choices=sorted(RESOLVERS))
    parser.add_argument("names", nargs="*", help="NAME, its latest version, or NAME@VERSION")
    parser.add_argument("--roots", type=Path, help="a file with more of them, one a line")
    parser.add_argument(
        "--data", type=Path, help="folder of the servers' data (default: temporary)"
    )
    arguments = parser.parse_args()
    names = list(arguments.names)
    if arguments.roots:
        lines = arguments.roots.read_text().splitlines()
        names += [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    if not names:
        parser.error("no roots")
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.data or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        started = time.monotonic()
        with extraction(folder, arguments.ecosystem) as extracting:
            found = list(compare(RESOLVERS[arguments.ecosystem](), extracting, names))
    sys.stdout.write(table(found) + "\n")
    sys.stderr.write(f"{time.monotonic() - started:.0f} s\n")
    sys.exit(not all(each.is_equal for each in found))


if __name__ == "__main__":
    main()
