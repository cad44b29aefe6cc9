"""How fast the names of a whole registry are listed, and in how much memory.

``python -m benchmarks.listing pypi npm --packages 100000``: the registries are simulated by a
process of their own, and each is listed by a process of its own, whose memory is compared with
what it had before the first name. Nothing is extracted; names are counted and forgotten.
"""

import argparse
import asyncio
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from ssc_ingest.ecosystems import ecosystem, ecosystems
from ssc_ingest.embedded import EmbeddedStack
from ssc_ingest.http.request_scope import RequestScope, request_scope
from ssc_ingest.settings import load_settings
from tests.contract.fetching import opened
from tests.simulator.client import ROOT, Simulator


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """What one listing cost."""

    ecosystem: str
    names: int
    seconds: float
    cpu: float
    """Seconds of the process that lists; the rest is the simulator's."""
    requests: int
    pages: int
    first_page: float
    """Seconds until the first names were there."""
    growth: int
    """Bytes by which the process's greatest size exceeds its size before the listing."""


def measure(name: str, simulator_url: str, redis_url: str) -> Listing:
    """List the registry of a running simulator in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.listing", name]
    addresses = ["--simulator-url", simulator_url, "--redis-url", redis_url]
    process = subprocess.run(
        [*command, *addresses], cwd=ROOT, stdout=subprocess.PIPE, check=True, text=True
    )
    *_, found = process.stdout.splitlines()  # some registries' readers log before it
    return Listing(**json.loads(found))


async def _list(name: str, simulator_url: str, redis_url: str) -> Listing:
    settings = load_settings(None, redis_url=redis_url)
    async with opened(ecosystem(name), Simulator(simulator_url), settings, redis_url) as reader:
        before, begin, begin_cpu = _greatest_size(), time.perf_counter(), time.process_time()
        names = pages = 0
        first_page = 0.0
        with request_scope(RequestScope(timeout=settings.http_timeout_long)) as scope:
            async for page in reader.list_names(None):
                first_page = first_page or time.perf_counter() - begin
                names += len(page.names)
                pages += 1
        return Listing(
            ecosystem=name,
            names=names,
            seconds=time.perf_counter() - begin,
            cpu=time.process_time() - begin_cpu,
            requests=scope.requests,
            pages=pages,
            first_page=first_page,
            growth=_greatest_size() - before,
        )


def _greatest_size() -> int:
    size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return size if sys.platform == "darwin" else size * 1024


@contextmanager
def running(packages: int) -> Iterator[tuple[str, str]]:
    """A simulator and a Redis, as URLs."""
    with tempfile.TemporaryDirectory() as folder:
        # The other two stores count as configured, so that they are not started.
        settings = load_settings(
            None,
            data_dir=Path(folder),
            graph_db_uri="bolt://unused",
            vuln_db_uri="mongodb://unused",
        )
        with EmbeddedStack(settings) as stack, Simulator.start(packages=packages) as simulator:
            redis_url = stack.start().redis_url
            assert redis_url
            yield simulator.url, redis_url


def table(found: list[Listing]) -> str:
    """One row per registry, as Markdown."""
    head = ("", "names", "names/s", "names/s of CPU", "first after, s", "requests", "memory, MB")
    rows = [
        (
            ecosystem(listing.ecosystem).identity.title,
            f"{listing.names:,}",
            f"{listing.names / listing.seconds:,.0f}",
            f"{listing.names / listing.cpu:,.0f}",
            f"{listing.first_page:.1f}",
            f"{listing.requests}",
            f"{listing.growth / 1e6:.0f}",
        )
        for listing in found
    ]
    lines = [head, ("---", *["---:"] * 6), *rows]
    return "\n".join(f"| {' | '.join(row)} |" for row in lines)


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.listing", description=__doc__)
    parser.add_argument("ecosystems", nargs="*", metavar="ECOSYSTEM", help="all by default")
    parser.add_argument("--packages", type=int, default=100_000, help="of each registry")
    parser.add_argument("--simulator-url", help="list this one here, and print JSON")
    parser.add_argument("--redis-url")
    arguments = parser.parse_args()
    names = arguments.ecosystems or list(ecosystems())
    if arguments.simulator_url:
        found = asyncio.run(_list(names[0], arguments.simulator_url, arguments.redis_url))
        print(json.dumps(asdict(found)))
        return
    with running(arguments.packages) as (simulator_url, redis_url):
        print(table([measure(name, simulator_url, redis_url) for name in names]))


if __name__ == "__main__":
    main()
