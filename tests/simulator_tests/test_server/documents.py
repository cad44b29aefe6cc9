"""The documents of the simulator, their addresses, and the time-out of the client."""

import httpx
import pytest

from tests.simulator.client import Simulator

IMPATIENT = httpx.Timeout(10, read=0.3)

SIMPLE_JSON = "application/vnd.pypi.simple.v1+json"

ENDPOINTS = (
    "pypi.simple",
    "pypi.metadata",
    "pypi.json",
    "pypi.version_json",
    "npm.packument",
    "maven.metadata",
    "maven.pom",
    "cargo.index",
    "cargo.crate",
    "rubygems.info",
    "rubygems.versions",
    "rubygems.gems",
    "nuget.registration",
    "nuget.page",
    "nuget.nuspec",
)

every_endpoint = pytest.mark.parametrize("endpoint", ENDPOINTS)


def document_url(simulator: Simulator, ecosystem: str, name: str) -> str:
    """The main document of a package."""
    settings = simulator.environment()
    match ecosystem:
        case "pypi":
            normalized = name.lower().replace("_", "-").replace(".", "-")
            return f"{settings['PYPI_INDEX_URL']}/{normalized}/"
        case "npm":
            return f"{settings['NPM_REGISTRY_URL']}/{name}"
        case "maven":
            group, _, artifact = name.partition(":")
            folder = f"{settings['MAVEN_REPOSITORY_URL']}/{group.replace('.', '/')}/{artifact}"
            return f"{folder}/maven-metadata.xml"
        case "rubygems":
            return f"{settings['RUBYGEMS_INDEX_URL']}/info/{name}"
        case "nuget":
            return f"{settings['NUGET_REGISTRATION_URL']}/{name.lower()}/index.json"
    lower = name.lower()
    return f"{settings['CARGO_INDEX_URL']}/{lower[:2]}/{lower[2:4]}/{lower}"


def pom_url(simulator: Simulator, name: str) -> str:
    """The POM of a package's first version."""
    folder = document_url(simulator, "maven", name).rpartition("/")[0]
    artifact, version = folder.rpartition("/")[2], simulator.truth("maven", name).versions[0].name
    return f"{folder}/{version}/{artifact}-{version}.pom"


def nuspec_url(simulator: Simulator, name: str) -> str:
    """The manifest of a package's first version."""
    content, lower = simulator.environment()["NUGET_CONTENT_URL"], name.lower()
    version = simulator.truth("nuget", name).versions[0].name.lower()
    return f"{content}/{lower}/{version}/{lower}.nuspec"


def page_url(simulator: Simulator) -> str:
    """The first page of a registration that has several."""
    for found in simulator.packages("nuget", 100, start=110, traits=("many-versions",)):
        index = httpx.get(document_url(simulator, "nuget", found.name), trust_env=False).json()
        if "items" not in index["items"][0]:
            return str(index["items"][0]["@id"])
    raise AssertionError("no package has so many versions")
