"""A repository that refuses one document, or all requests (403)."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import redis.asyncio as redis

from ssc_ingest.ecosystems.maven import Maven
from ssc_ingest.errors import IngestError, RateLimited, ResourceForbidden
from ssc_ingest.settings import Settings
from tests.contract.fetching import read
from tests.contract.loopback import Answer, Loopback, loopback, reading
from tests.contract.test_maven_fetch.repository import requirements


@pytest.fixture
def folder(cases: Path) -> Path:
    """The repository: files whose names end in ``.403`` are refused."""
    return cases / "maven-403" / "maven2"


@asynccontextmanager
async def serving(folder: Path) -> AsyncIterator[Loopback]:
    """A server for that folder."""
    files = await asyncio.to_thread(lambda: list(folder.rglob("*.*")))
    async with loopback() as server:
        for file in files:
            path = f"/{file.relative_to(folder)}"
            if file.suffix == ".403":
                server.answers[path.removesuffix(".403")] = Answer(b"no", 403)
            else:
                server.serve(path, file.read_bytes(), media_type="application/xml")
        yield server


async def test_one_refused_document(
    folder: Path, settings: Settings, redis_url: str, clean_redis: None
) -> None:
    """A refused document affects only its own version, and is requested once."""
    async with (
        serving(folder) as server,
        reading(Maven, settings, redis_url, repository=server.url) as maven,
    ):
        package = (await read(maven, "acme.lab:one403")).package
    assert [version.name for version in package.versions] == ["1", "2"]
    assert requirements(package, "1") == {"acme.dep:a": "[1]"}
    assert not package.versions[1].requirements
    assert server.asked["/acme/lab/one403/2/one403-2.pom"] == 1


async def test_a_repository_that_refuses_us(
    folder: Path, settings: Settings, redis_url: str, clean_redis: None
) -> None:
    """Five packages cost one request each; then the host is paused."""
    errors: list[IngestError] = []
    async with serving(folder) as server:
        server.gone = Answer(b"no", 403)
        async with reading(Maven, settings, redis_url, repository=server.url) as maven:
            for name in ("banned", "a", "b", "c", "d", "e", "banned"):
                with pytest.raises(IngestError) as caught:
                    await read(maven, f"acme.lab:{name}")
                errors.append(caught.value)
    assert [type(error) for error in errors] == [*[ResourceForbidden] * 4, *[RateLimited] * 3]
    assert server.asked.total() == 5
    async with redis.Redis.from_url(redis_url) as state:
        assert 50_000 < await state.pttl(f"pause:{server.url.removeprefix('http://')}") <= 60_000
