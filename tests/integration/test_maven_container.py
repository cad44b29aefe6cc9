"""The container mode of the Maven index's reader, on the test's own Docker engine."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from ssc_ingest.ecosystems.endpoints import Endpoints
from ssc_ingest.ecosystems.maven import Maven, index_container
from ssc_ingest.ecosystems.maven.identity import INDEX_READER
from ssc_ingest.errors import ConfigurationError, RegistryUnavailable
from ssc_ingest.settings import Settings
from tests.contract.fetching import opened
from tests.docker_engine import DockerEngine, docker_engine
from tests.simulator.client import Simulator


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    """A small registry."""
    with Simulator.start(packages=60, versions="2") as simulator:
        yield simulator


@pytest.fixture
async def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[DockerEngine]:
    """An engine at the address where the Docker SDK expects it."""
    async with docker_engine(tmp_path) as (engine, address):
        monkeypatch.setenv("DOCKER_HOST", address)
        monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
        yield engine


@pytest.fixture
async def maven(
    simulator: Simulator,
    settings: Settings,
    redis_url: str,
    clean_redis: None,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[Maven]:
    """The ecosystem in container mode."""
    simulator.reset()
    async with opened(Maven, simulator, settings, redis_url) as maven:
        url = maven.endpoints.url("index")
        chosen = {INDEX_READER.key: "container"}
        yield Maven(maven.client, Endpoints({"index": url}, {"index": 5}, chosen))


async def listed(maven: Maven, cursor: str | None = None) -> list[str]:
    """All names from a cursor on."""
    return [name async for page in maven.list_names(cursor) for name in page.names]


async def test_names_come_from_the_container(
    maven: Maven, simulator: Simulator, engine: DockerEngine
) -> None:
    """The image has our reader and no volumes; the container is removed.

    Names, cursors and the User-Agent are the same as without a container.
    """
    pages = [page async for page in maven.list_names(None)]
    (page,) = pages
    assert list(page.names) == sorted(simulator.names("maven"))
    assert page.total == 60
    assert engine.built == [index_container.IMAGE]
    (container,) = engine.created
    assert container["Cmd"][0] == maven.endpoints.url("index") + "/nexus-maven-repository-index.gz"
    assert not container.get("Volumes")
    assert not container["HostConfig"].get("Binds")
    assert engine.removed == [f"{0:064x}"]
    assert {asked["user_agent"] for asked in simulator.requests()} == {maven.client.user_agent}
    assert await listed(maven, page.cursor) == []


async def test_the_readers_output_is_in_the_error(
    maven: Maven, simulator: Simulator, engine: DockerEngine
) -> None:
    """A truncated index fails in the same way, and the container is removed."""
    simulator.fault("truncate", endpoint="maven.index", keep=0.5)
    with pytest.raises(RegistryUnavailable, match=r"exited with code 69 .*is truncated"):
        await listed(maven)
    assert engine.removed == [f"{0:064x}"]


@pytest.mark.parametrize(
    "output", [b"", b'{"name": "a:b"}\n', b'{"name": "a:b"}\n{"total": 2}\n', b'{"total": 1}\n']
)
async def test_output_that_was_cut(maven: Maven, engine: DockerEngine, output: bytes) -> None:
    """Without the right total at its end, the output is incomplete, with any exit code."""
    engine.output = output
    with pytest.raises(RegistryUnavailable, match="exited with code 0 after"):
        await listed(maven)


@pytest.mark.parametrize("output", [b"x" * 100_000, b"Traceback ...\n", b"[]\n", b'{"name": 1}\n'])
async def test_output_of_something_else(maven: Maven, engine: DockerEngine, output: bytes) -> None:
    """Lines without end and lines that are no names are rejected."""
    engine.output = output
    with pytest.raises(RegistryUnavailable, match="index reader"):
        await listed(maven)
    assert engine.removed == [f"{0:064x}"]


async def test_an_image_that_cannot_be_built(maven: Maven, engine: DockerEngine) -> None:
    """The error has the engine's reason."""
    engine.build_error = "pull access denied for python"
    with pytest.raises(RegistryUnavailable, match="cannot be built: pull access denied"):
        await listed(maven)
    assert engine.created == []


async def test_a_container_that_does_not_end(
    maven: Maven, engine: DockerEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A container that does not end is removed after its time limit."""
    engine.hangs = True
    monkeypatch.setattr(index_container, "RUN_TIMEOUT", 1)
    with pytest.raises(RegistryUnavailable, match="did not finish in time"):
        await listed(maven)
    assert engine.removed == [f"{0:064x}"]


async def test_a_cancelled_listing_leaves_no_container(maven: Maven, engine: DockerEngine) -> None:
    """Stopping a worker also stops the container."""
    engine.hangs = True
    listing = asyncio.create_task(listed(maven))
    await engine.running.wait()
    listing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await listing
    assert engine.removed == [f"{0:064x}"]


async def test_without_an_engine(maven: Maven, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the missing engine and suggests a fix."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    monkeypatch.setenv("DOCKER_HOST", f"tcp://127.0.0.1:{port}")
    with pytest.raises(
        ConfigurationError, match=r"needs a Docker engine.*MAVEN_INDEX_READER=inline"
    ):
        await listed(maven)
