"""A client of the running simulator, and a document of each kind."""

from collections.abc import Iterator

import httpx
import pytest

from tests.simulator.client import Simulator
from tests.simulator_tests.test_server.documents import (
    SIMPLE_JSON,
    document_url,
    nuspec_url,
    page_url,
    pom_url,
)


@pytest.fixture
def http() -> Iterator[httpx.Client]:
    """A client that does not follow redirects and has short time-outs."""
    with httpx.Client(trust_env=False, timeout=10) as client:
        yield client


@pytest.fixture(scope="session")
def urls(running_simulator: Simulator) -> dict[str, str]:
    """A document of each kind, by endpoint."""
    simulator = running_simulator
    simulator.reset()  # of what another module's last test left
    settings = simulator.environment()
    project = simulator.packages("pypi", 1, start=100, traits=("form:wheel",))[0]
    package = simulator.packages("npm", 1, start=100, traits=("scoped",))[0]
    crate = simulator.packages("cargo", 1, start=110)[0]
    jar = simulator.packages("maven", 1, start=110, traits=("form:plain",))[0]
    gem = simulator.packages("rubygems", 1, start=110)[0]
    unlisted = simulator.packages("nuget", 1, start=110, traits=("yanked",))[0]
    normalized = project.purl.rpartition("/")[2]
    lower = crate.name.lower()
    page = httpx.get(
        f"{settings['PYPI_INDEX_URL']}/{normalized}/",
        headers={"Accept": SIMPLE_JSON},
        trust_env=False,
    ).json()
    file = next(f["url"] for f in page["files"] if f.get("core-metadata"))
    version = page["versions"][0]
    return {
        "pypi.simple": f"{settings['PYPI_INDEX_URL']}/{normalized}/",
        "pypi.metadata": f"{file}.metadata",
        "pypi.json": f"{settings['PYPI_JSON_URL']}/{normalized}/json",
        "pypi.version_json": f"{settings['PYPI_JSON_URL']}/{normalized}/{version}/json",
        "maven.metadata": document_url(simulator, "maven", jar.name),
        "maven.pom": pom_url(simulator, jar.name),
        "rubygems.info": document_url(simulator, "rubygems", gem.name),
        "rubygems.versions": f"{settings['RUBYGEMS_API_URL']}/versions/{gem.name}.json",
        "rubygems.gems": f"{settings['RUBYGEMS_API_URL']}/gems/{gem.name}.json",
        "nuget.registration": document_url(simulator, "nuget", unlisted.name),
        "nuget.page": page_url(simulator),
        "nuget.nuspec": nuspec_url(simulator, unlisted.name),
        "npm.packument": f"{settings['NPM_REGISTRY_URL']}/{package.name.replace('/', '%2f')}",
        "cargo.index": f"{settings['CARGO_INDEX_URL']}/{lower[:2]}/{lower[2:4]}/{lower}",
        "cargo.crate": (
            f"{settings['CARGO_CRATES_URL']}/{crate.name}/{crate.name}-"
            f"{simulator.truth('cargo', crate.name).versions[0].name.replace('+', '%2B')}.crate"
        ),
    }
