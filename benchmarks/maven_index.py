"""A pass over a generated Maven index: documents per second of one core, and peak memory.

The documents are like those of a recorded piece of Central's index, field by field: three of a
version (the artifact, its sources, its documentation), standing together, a few with the many
fields of an OSGi bundle. A package's versions are spread over the whole index, as releases are over
the years: the sorting has to find them together again. Reading is what a listing does after the
download: decompress, step over what is not needed, sort the names on disk.

``python -m benchmarks.maven_index --documents 1000000``
"""

import argparse
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from random import Random

from ssc_ingest.ecosystems.maven.index.index_pass import Pass
from ssc_ingest.ecosystems.maven.index.records import Names
from ssc_ingest.ecosystems.maven.index.sorted_lines import SortedLines
from tests.simulator.maven.index_format import Fields, document, header, packed

VERSIONS = 5
"""Of a package; with three documents each, ten million are 670,000 packages."""
BUNDLES = 40
"""One version in so many is an OSGi bundle."""

WORDS = re.findall(
    r"\w+",
    "an open source library for java applications which reads writes and maps data of many kinds "
    "with annotations builders codecs clients servers metrics logging tests plugins tools",
)
FILES = (("NA", "1|1|1"), ("sources|jar", "2|2|1"), ("javadoc|jar", "2|2|1"))


def artifacts(count: int, seed: int = 7) -> Iterator[Fields]:
    """So many documents or a few more, reproducibly."""
    rng = Random(seed)
    packages = max(1, count // (len(FILES) * VERSIONS))
    for release in range(-(-count // len(FILES))):
        package = rng.randrange(packages) if release >= packages else release
        about = _about(package, release, rng)
        moment = 1_300_000_000_000 + 40_000 * release
        for kind, present in FILES:
            yield {
                "u": f"{about['place']}|{kind}",
                "m": str(moment),
                "i": f"jar|{moment - 60_000}|{rng.randrange(9_999_999)}|{present}|jar",
                "n": about["name"],
                "d": about["text"],
                "1": f"{rng.getrandbits(160):040x}",
                **(_bundle(about) if kind == "NA" and release % BUNDLES == 0 else {}),
            }


def _about(package: int, release: int, rng: Random) -> dict[str, str]:
    first, second = WORDS[package % 23], WORDS[package % 27]
    group = f"{WORDS[package % 4]}.{WORDS[package % 19]}.team{package // 7}"
    version = f"{rng.randint(0, 9)}.{rng.randint(0, 30)}.{release % 1000}"
    return {
        "group": group,
        "version": version,
        "place": f"{group}|{first}-{second}-{package}|{version}",
        "name": f"{first.title()} {second.title()}",
        "text": " ".join(rng.choices(WORDS, k=9)),
    }


def _bundle(about: dict[str, str]) -> dict[str, str]:
    group, version = about["group"], about["version"]
    return {
        "Bundle-SymbolicName": f"{group}.bundle",
        "Bundle-Version": version,
        "Export-Package": ",".join(f'{group}.{word};version="{version}"' for word in WORDS),
        "Bundle-Name": about["name"],
        "Import-Package": 'org.objenesis;version="[2.5,3)",javax.annotation;resolution:=optional',
    }


def generate(file: Path, count: int) -> None:
    """Write an index of so many documents."""

    def pieces() -> Iterator[bytes]:
        yield header(1_700_000_000_000)
        documents = map(document, islice(artifacts(count), count))
        while piece := b"".join(islice(documents, 2000)):
            yield piece

    with file.open("wb") as written:
        for piece in packed(pieces(), level=6):
            written.write(piece)


def report(file: Path) -> None:
    """Read an index and print a table."""
    before = _peak()
    began, used = time.perf_counter(), time.process_time()
    with file.open("rb") as opened, SortedLines() as lines:
        reading = Pass(opened, Names(), lines, url=str(file))
        for progress in reading:
            if progress and progress.documents % 1_000_000 < 100_000:
                sys.stderr.write(f"{progress.documents} documents\n")
        packages = lines.finish()
        found = sum(1 for _ in lines.after(b""))
    used, seconds = time.process_time() - used, time.perf_counter() - began
    assert found == packages
    documents, size = reading.progress
    for title, value in (
        ("documents", f"{documents:,}"),
        ("packages", f"{packages:,}"),
        ("compressed, MB", f"{file.stat().st_size / 1e6:.0f}"),
        ("uncompressed, MB", f"{size / 1e6:.0f}"),
        ("seconds", f"{seconds:.1f}"),
        ("seconds of CPU", f"{used:.1f}"),
        ("documents/s of CPU", f"{documents / used:,.0f}"),
        ("ten million documents, s of CPU", f"{1e7 * used / documents:.0f}"),
        ("peak memory before and after, MB", f"{before / 1e6:.0f}, {_peak() / 1e6:.0f}"),
    ):
        print(f"| {title} | {value} |")


def _peak() -> int:
    """Bytes resident at most so far."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def main() -> None:
    """Generate an index, read it (or one that is there), and print what that took."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.maven_index", description=main.__doc__
    )
    parser.add_argument("--documents", type=int, default=1_000_000)
    parser.add_argument("--file", type=Path, help="an index that is there already")
    arguments = parser.parse_args()
    if arguments.file:
        report(arguments.file)
        return
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "index.gz"
        generate(file, arguments.documents)
        # In a process of its own, whose memory is the reader's.
        command = [sys.executable, "-m", "benchmarks.maven_index", "--file", str(file)]
        subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
