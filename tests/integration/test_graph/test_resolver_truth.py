"""The graph has enough data to resolve packages like npm, Cargo and pip."""

import json
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from shutil import which

import pytest
from neo4j import GraphDatabase

from benchmarks.resolver_truth import cargo, npm, pip
from benchmarks.resolver_truth.graph import Graph
from benchmarks.resolver_truth.interface import Pins, Resolver, Root, Unresolvable
from benchmarks.resolver_truth.npm.versions import Runtimes
from ssc_ingest.ecosystems import ecosystem
from ssc_ingest.ecosystems.base import FetchRequest
from ssc_ingest.ecosystems.endpoints import load_endpoints, setting_names
from ssc_ingest.graph.writer import GraphWriter
from ssc_ingest.http.client import RegistryClient, open_transport
from ssc_ingest.models import Package
from ssc_ingest.resources import State
from ssc_ingest.settings import Settings
from tests.integration.test_graph.small_registries import (
    CARGO,
    NPM,
    PYPI,
    cargo_documents,
    npm_documents,
    pypi_documents,
    serving,
)

RECORDED: Mapping[tuple[str, str], str] = {
    ("npm", "app"): (
        "app 1.0.0, copied 1.0.0, demanding 1.0.0, deprecating 1.0.0, framework 2.1.0, "
        "helper 1.0.0, left 1.0.0, native-linux 1.0.0, native-win 1.0.0, next 2.0.0-next.1, "
        "plugin 1.0.0, pre 2.0.0-beta.2, right 1.0.0, ring 1.0.0, shared 0.9.5, shared 1.0.5, "
        "shared 1.1.0, shared 2.0.0, tagged 1.1.0, third 1.0.0"
    ),
    ("npm", "conflicted"): (
        "conflicted 1.0.0, framework 2.1.0, framework 3.0.0, helper 1.0.0, plugin 1.0.0"
    ),
    ("cargo", "app"): (
        "alloc-x 1.0.0, app 1.0.0, base 0.1.5, base 0.2.7, build-x 1.0.0, chosen 1.0.0, "
        "core-x 1.1.0, extra-x 1.0.0, loose 1.4.0, loose 2.0.0, pin 1.0.0, pinned 1.0.3, "
        "pre 2.0.0-rc.2, shrinking 1.0.0, weak 1.0.0, win-x 0.3.9"
    ),
    ("pypi", "app"): (
        "app 1.0.0, compatible 1.4.9, deep-est 1.0, deepest 1.0, either 1.0, final 1.0, "
        "holes 1.1, left 1.0, old 2.1, onlypre 1.0b2, pre 2.0rc1, pythons 1.0, right 1.5, "
        "series 1.2.3, shared 2.5, speed 1.1, withdrawn 1.0, withdrawn-pin 1.1"
    ),
}
"""What the tools locked, by ecosystem and root."""

RESOLVERS: Mapping[str, Resolver] = {
    "npm": npm.Npm(Runtimes("20.20.2", "11.19.1")),
    "cargo": cargo.Cargo(),
    "pypi": pip.Pip(
        {
            "implementation_name": "cpython",
            "implementation_version": "3.11.7",
            "os_name": "posix",
            "platform_machine": "x86_64",
            "platform_python_implementation": "CPython",
            "platform_release": "6.8.0",
            "platform_system": "Linux",
            "platform_version": "",
            "python_full_version": "3.11.7",
            "python_version": "3.11",
            "sys_platform": "linux",
        }
    ),
}


def recorded(name: str, root: str) -> Pins:
    """The recorded lock file."""
    return frozenset(RECORDED[name, root].replace(" ", "==").replace(",==", ", ").split(", "))


@pytest.fixture(scope="module")
def registries() -> Iterator[Mapping[str, str]]:
    """The small registries' URLs, by ecosystem."""
    with (
        serving() as (npm_url, packuments),
        serving() as (cargo_url, index),
        serving() as (pypi_url, pages),
    ):
        packuments.update(npm_documents())
        index.update(cargo_documents(cargo_url))
        pages.update(pypi_documents(pypi_url))
        yield {"npm": npm_url, "cargo": cargo_url, "pypi": pypi_url}


@pytest.fixture
def fill(
    registries: Mapping[str, str], writer: GraphWriter, state: State, settings: Settings
) -> Callable[[str], Awaitable[None]]:
    """Write all packages of a small registry to the graph, read by the program."""

    async def fill(name: str) -> None:
        cls = ecosystem(name)
        with pytest.MonkeyPatch.context() as environment:
            for endpoint in cls.identity.endpoints:
                environment.setenv(setting_names(name, endpoint)[0], registries[name])
            endpoints = load_endpoints(name, cls.identity.endpoints, None)
        async with open_transport(settings) as transport:
            reader = cls(RegistryClient(transport, state.limiter, endpoints.hosts), endpoints)
            for each in {"npm": NPM, "cargo": CARGO, "pypi": PYPI}[name]:
                package = await reader.fetch(FetchRequest(cls.ref(each)))
                assert isinstance(package, Package)
                await writer.write(package, order=cls.order)

    return fill


@pytest.mark.parametrize(("name", "root"), RECORDED)
async def test_the_graph_resolves_as_the_tool(
    fill: Callable[[str], Awaitable[None]], graph_uri: str, name: str, root: str
) -> None:
    """All facts are necessary.

    For npm: nested versions, optional ones, peers, aliases and tags. For Cargo: features, targets
    and renamed crates. For PyPI: markers, extras, yanked versions and supported Python versions.
    """
    await fill(name)
    with GraphDatabase.driver(graph_uri) as driver:
        graph = Graph(driver, name)
        assert RESOLVERS[name].resolve(graph, Root(root, "1.0.0")) == recorded(name, root)
        assert graph.missing.keys() <= {"pkg:npm/nowhere"}


async def test_a_package_that_nobody_has_extracted_is_noted(
    clean_graph: None, graph_uri: str
) -> None:
    """A noted package is extracted before the next attempt."""
    with GraphDatabase.driver(graph_uri) as driver:
        for name, resolver in RESOLVERS.items():
            graph = Graph(driver, name)
            try:
                found = resolver.resolve(graph, Root("app", "1.0.0"))
            except Unresolvable:
                found = frozenset()
            assert not found
            assert list(graph.missing.values()) == ["app"]


@pytest.mark.skipif(which("npm") is None, reason="npm is not installed")
@pytest.mark.parametrize("root", ["app", "conflicted"])
def test_npm_locks_what_was_recorded(
    registries: Mapping[str, str], tmp_path: Path, root: str
) -> None:
    """The tool's result equals the recording."""
    project = tmp_path / "project"
    project.mkdir()
    manifest = {"name": "project", "version": "1.0.0", "dependencies": {root: "1.0.0"}}
    (project / "package.json").write_text(json.dumps(manifest))
    cache = str(tmp_path / "cache")
    found = npm.lock(project, "--registry", registries["npm"], "--cache", cache)
    assert found == recorded("npm", root)


@pytest.mark.skipif(which("cargo") is None, reason="Cargo is not installed")
def test_cargo_locks_what_was_recorded(
    registries: Mapping[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tool's result equals the recording."""
    project = tmp_path / "project"
    for folder in (project / ".cargo", project / "src"):
        folder.mkdir(parents=True)
    (project / ".cargo/config.toml").write_text(
        '[source.crates-io]\nreplace-with = "small"\n'
        f'[source.small]\nregistry = "sparse+{registries["cargo"]}/"\n'
    )
    (project / "src/lib.rs").touch()
    (project / "Cargo.toml").write_text(cargo.MANIFEST.format(name="app", version="1.0.0"))
    monkeypatch.setenv("CARGO_HOME", str(tmp_path / "home"))
    assert cargo.lock(project) == recorded("cargo", "app")


@pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="recorded for Python 3.11")
@pytest.mark.skipif(sys.platform != "linux", reason="recorded for Linux")
def test_pip_installs_what_was_recorded(registries: Mapping[str, str], tmp_path: Path) -> None:
    """The tool's result equals the recording."""
    python = pip.pip_of(tmp_path, upgrade=False)
    root = Root("app", "1.0.0")
    found = pip.lock(root, tmp_path, "--index-url", registries["pypi"], python=python)
    assert found == recorded("pypi", "app")
