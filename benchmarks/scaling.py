"""How long a first full ingestion of all registries takes, what it needs, and what limits it.

``python -m benchmarks.scaling --workers 4 --mirror npm`` computes; it measures nothing. The rates
are the program's own defaults, the requests per package its own estimates, the costs those of
docs/performance.md. docs/scaling.md explains the model and contains its tables.
"""

import argparse
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from ssc_ingest.ecosystems import built_in
from ssc_ingest.ecosystems.base import Ecosystem

HOURS = 3600.0

PACKAGES = {
    "pypi": 500_000,
    "npm": 3_000_000,
    "maven": 500_000,
    "cargo": 150_000,
    "rubygems": 180_000,
    "nuget": 400_000,
}
"""Packages of each registry, about; the same as in docs/operations.md (staleness)."""

REQUESTS: Mapping[str, Mapping[str, float]] = {
    "pypi": {"index": 1, "files": 10},
    "npm": {"registry": 1},
    "maven": {"repository": 20},
    "cargo": {"index": 1},
    "rubygems": {"index": 1, "api": 1.5},
    "nuget": {"registration": 1.1, "content": 1},
}
"""Requests per new package by endpoint; their sum is the ecosystem's ``requests_per_package``."""

NAMES: Mapping[str, Mapping[str, float]] = {
    "pypi": {"index": 1, "files": 2},
    "npm": {"registry": 1},
    "maven": {"repository": 2},
    "cargo": {"index": 1, "static": 1},
    "rubygems": {"index": 1, "downloads": 1},
    "nuget": {"content": 3},
}
"""Requests per package for the import names of its latest version (docs/import-names.md). npm: none
for packages with ``exports``, else two."""

WORKER_MS = 5.0
"""CPU time of a worker per package of 15 versions with 5 requirements, with one request, ms."""
REQUEST_MS = 0.8
"""CPU time of a worker per further request, ms."""
GRAPH_MS = 2.7
"""CPU time of Neo4j for such a package, ms."""
REDIS_MS = 0.2
"""CPU time of Redis for such a package, ms."""
PER_PROCESS = 108.0
"""Packages a second that one worker process extracts where nothing else limits it."""
GRAPH_PACKAGES = 375.0
"""Packages a second that one Neo4j on two cores has written."""
GRAPH_BYTES = 11.7e9 / 10_000_000
"""Bytes of the store per version with five requirements."""
VERSIONS = 15
"""Versions per package, an assumption."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One registry's share of the ingestion."""

    ecosystem: str
    packages: int
    requests: float
    hours_by_rate: float
    """At the registry's rates; 0 for a mirror without limits."""
    host: str
    """The host that takes longest."""
    worker_hours: float
    """CPU hours of workers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The ingestion of all registries at the same time."""

    parts: tuple[Part, ...]
    workers: int

    @property
    def packages(self) -> int:
        """Of all registries."""
        return sum(part.packages for part in self.parts)

    @property
    def hours_by_workers(self) -> float:
        """Hours in which this many processes can do the work, by rate and by CPU time."""
        by_rate = self.packages / (PER_PROCESS * self.workers) / HOURS
        return max(by_rate, sum(part.worker_hours for part in self.parts) / self.workers)

    @property
    def hours_by_graph(self) -> float:
        """Hours in which one Neo4j on two cores can write all packages."""
        return self.packages / GRAPH_PACKAGES / HOURS

    @property
    def hours(self) -> float:
        """Duration: that of the slowest registry, of the workers, or of the graph."""
        return max(self.limits().values())

    @property
    def limit(self) -> str:
        """What determines the duration."""
        limits = self.limits()
        return max(limits, key=lambda name: limits[name])

    def limits(self) -> dict[str, float]:
        """Hours by each possible limit."""
        rates = {f"rate of {part.host}": part.hours_by_rate for part in self.parts}
        return {**rates, "workers": self.hours_by_workers, "graph": self.hours_by_graph}

    @property
    def core_hours(self) -> float:
        """CPU hours of workers, Neo4j and Redis."""
        stores = self.packages * (GRAPH_MS + REDIS_MS) / 1000 / HOURS
        return sum(part.worker_hours for part in self.parts) + stores

    @property
    def graph_gigabytes(self) -> float:
        """Size of the store."""
        return self.packages * VERSIONS * GRAPH_BYTES / 1e9


def plan(*, workers: int, mirrors: Collection[str] = (), names: bool = False) -> Plan:
    """Compute the ingestion.

    Args:
        workers: number of worker processes.
        mirrors: ecosystems whose requests go to a mirror without limits.
        names: whether the import names of each latest version are read as well.
    """
    parts = tuple(_part(cls, cls.identity.name in mirrors, names=names) for cls in built_in())
    return Plan(parts=parts, workers=workers)


def _part(cls: type[Ecosystem], is_mirror: bool, *, names: bool) -> Part:  # noqa: FBT001
    name = cls.identity.name
    packages = PACKAGES[name]
    endpoints = {endpoint.key: endpoint for endpoint in cls.identity.endpoints}
    rates: dict[str, float] = {}
    for endpoint in endpoints.values():
        host = urlsplit(endpoint.url).hostname or ""
        rates[host] = min(endpoint.rate, rates.get(host, endpoint.rate))
    requests: dict[str, float] = {}
    for source in (REQUESTS[name], NAMES[name] if names else {}):
        for key, number in source.items():
            host = urlsplit(endpoints[key].url).hostname or ""
            requests[host] = requests.get(host, 0) + number * packages
    hours = {host: number / rates[host] / HOURS for host, number in requests.items()}
    slowest = max(hours, key=lambda host: hours[host])
    total = sum(requests.values())
    milliseconds = packages * WORKER_MS + (total - packages) * REQUEST_MS
    return Part(
        ecosystem=cls.identity.title,
        packages=packages,
        requests=total,
        hours_by_rate=0.0 if is_mirror else hours[slowest],
        host=slowest,
        worker_hours=milliseconds / 1000 / HOURS,
    )


def registries(names: tuple[bool, ...] = (False, True)) -> Iterator[str]:
    """The table of registries."""
    yield "| | packages | requests | slowest host | hours | requests | slowest host | hours |"
    yield "|---|---:|---:|---|---:|---:|---|---:|"
    for without, with_names in zip(*(plan(workers=1, names=n).parts for n in names), strict=True):
        cells = [without.ecosystem, f"{without.packages:,}"]
        for part in (without, with_names):
            cells += [
                f"{part.requests / 1e6:.2f} M",
                f"`{part.host}`",
                f"{part.hours_by_rate:,.0f}",
            ]
        yield f"| {' | '.join(cells)} |"


def steps() -> Iterator[str]:
    """The table of steps, each of which removes the limit of the one before."""
    yield "| mirrors | workers | hours | limit | packages/s | CPU hours |"
    yield "|---|---:|---:|---|---:|---:|"
    every = tuple(PACKAGES)
    for mirrors, workers in (
        ((), 1),
        ((), 8),
        (("maven",), 1),
        (("maven", "npm"), 1),
        (("maven", "npm", "pypi"), 1),
        (every, 1),
        (every, 2),
        (every, 4),
        (every, 8),
    ):
        found = plan(workers=workers, mirrors=mirrors)
        label = "all" if mirrors == every else ", ".join(mirrors) or "none"
        rate = found.packages / found.hours / HOURS
        limit = found.limit.replace("rate of ", "rate of `") + ("`" * ("rate" in found.limit))
        cells = (label, workers, f"{found.hours:,.0f}", limit, f"{rate:,.0f}")
        yield f"| {' | '.join(map(str, cells))} | {found.core_hours:,.0f} |"


def tables() -> dict[str, str]:
    """The tables of docs/scaling.md, by name."""
    return {"registries": "\n".join(registries()), "steps": "\n".join(steps())}


def main() -> None:
    """Print one plan, or all tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scaling", description=__doc__)
    parser.add_argument("--workers", type=int, help="worker processes; without it, all tables")
    parser.add_argument("--mirror", nargs="+", default=[], choices=[*PACKAGES], dest="mirrors")
    parser.add_argument("--names", action="store_true", help="read import names, too")
    parser.add_argument("--core-hour", type=float, default=0.05, help="price of a core's hour")
    arguments = parser.parse_args()
    if arguments.workers is None:
        print("\n\n".join(tables().values()))
        return
    if arguments.workers < 1:
        parser.error("--workers must be at least 1")
    found = plan(workers=arguments.workers, mirrors=arguments.mirrors, names=arguments.names)
    for name, hours in sorted(found.limits().items(), key=lambda item: -item[1]):
        print(f"{hours:10,.1f} h  {name}")
    print(f"{found.hours:10,.1f} h  in all, for {found.packages:,} packages")
    print(f"{found.core_hours:10,.1f}    CPU hours, {found.core_hours * arguments.core_hour:,.2f}")
    print(f"{found.graph_gigabytes:10,.1f} GB of graph")


if __name__ == "__main__":
    main()
