"""Measures the simulator's requests a second: ``python -m tests.simulator.load``.

A benchmark of the program is meaningful only if the simulator is much faster. The client is a bare
loop over keep-alive connections, so that it does not limit the result.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import Iterator, Sequence
from urllib.parse import quote, urlsplit

import httpx

from tests.simulator.client import Simulator
from tests.simulator.crates import index_path
from tests.simulator.pypi.documents import SIMPLE_JSON

CONNECTIONS = 16


async def ask(host: str, port: int, paths: Iterator[str], accept: str) -> int:
    """Request paths over one connection; returns the bytes of the bodies."""
    reader, writer = await asyncio.open_connection(host, port, limit=1 << 20)
    received = 0
    for path in paths:
        writer.write(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nAccept: {accept}\r\n\r\n".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(f"{path}: {head[:40]!r}")
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
        await reader.readexactly(length)
        received += length
    writer.close()
    return received


async def measure(url: str, paths: Sequence[str], accept: str) -> tuple[float, float]:
    """Requests a second, and megabytes a second."""
    parts = urlsplit(url)
    host, port = str(parts.hostname), int(parts.port or 80)
    remaining = iter(paths)
    begin = time.perf_counter()
    received = await asyncio.gather(
        *(ask(host, port, remaining, accept) for _ in range(CONNECTIONS))
    )
    seconds = time.perf_counter() - begin
    return len(paths) / seconds, sum(received) / seconds / 1e6


def workloads(simulator: Simulator, packages: int) -> Iterator[tuple[str, str, list[str]]]:
    """Name, media type, and paths; each document once, like a run over a registry."""
    settings = simulator.environment()
    bases = {name: urlsplit(url).path for name, url in settings.items()}
    names = {
        ecosystem: [found.name for found in simulator.packages(ecosystem, packages)]
        for ecosystem in ("pypi", "npm", "maven", "cargo", "rubygems", "nuget")
    }
    normalized = [name.lower().replace("_", "-").replace(".", "-") for name in names["pypi"]]
    simple = [f"{bases['PYPI_INDEX_URL']}/{name}/" for name in normalized]
    yield "PyPI project page", SIMPLE_JSON, simple
    metadata = []
    for path in simple[: packages // 10]:
        page = httpx.get(simulator.url + path, headers={"Accept": SIMPLE_JSON}, trust_env=False)
        files = page.json()["files"]
        metadata += [urlsplit(f["url"]).path + ".metadata" for f in files if f.get("core-metadata")]
    yield "PyPI metadata file", "*/*", metadata
    yield "PyPI JSON", "*/*", [f"{bases['PYPI_JSON_URL']}/{name}/json" for name in normalized]
    yield (
        "npm packument",
        "*/*",
        [f"{bases['NPM_REGISTRY_URL']}/{quote(name, safe='@')}" for name in names["npm"]],
    )
    folders = [
        f"{bases['MAVEN_REPOSITORY_URL']}/{group.replace('.', '/')}/{artifact}"
        for group, _, artifact in (name.partition(":") for name in names["maven"])
    ]
    yield "Maven list of versions", "*/*", [f"{folder}/maven-metadata.xml" for folder in folders]
    poms = []
    for name, folder in zip(names["maven"][: packages // 10], folders, strict=False):
        artifact = folder.rpartition("/")[2]
        versions = [version.name for version in simulator.truth("maven", name).versions]
        poms += [f"{folder}/{version}/{artifact}-{version}.pom" for version in versions]
    yield "Maven POM", "*/*", poms
    gems = [f"{bases['RUBYGEMS_INDEX_URL']}/info/{name}" for name in names["rubygems"]]
    yield "RubyGems index file", "*/*", gems
    lower = [name.lower() for name in names["nuget"]]
    registrations = [f"{bases['NUGET_REGISTRATION_URL']}/{name}/index.json" for name in lower]
    yield "NuGet registration", "*/*", registrations
    index = [f"{bases['CARGO_INDEX_URL']}/{index_path(n.lower())}" for n in names["cargo"]]
    yield "crates.io index file", "*/*", index
    yield "crates.io index file, kept", "*/*", index[:200] * (packages // 200)


def main() -> None:
    """Start a simulator, and measure each kind of document."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulator.load", description=__doc__)
    parser.add_argument("--packages", type=int, default=3000, help="documents of each kind")
    packages: int = parser.parse_args().packages
    with Simulator.start(
        packages=packages, versions="15", requirements="5", plain=True
    ) as simulator:
        for name, accept, paths in workloads(simulator, packages):
            rate, volume = asyncio.run(measure(simulator.url, paths, accept))
            sys.stdout.write(f"{name:28}{len(paths):7} requests {rate:8.0f}/s {volume:7.1f} MB/s\n")


if __name__ == "__main__":
    main()
