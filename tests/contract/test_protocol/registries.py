"""The differences between registries, as rows of :data:`REGISTRIES`, and their correct data."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import pytest
from univers import version_range as ranges
from univers import versions as kinds

from ssc_ingest.ecosystems import ecosystems
from tests.simulator import universe
from tests.simulator.registries import open_registry
from tests.simulator.registry import Registry
from tests.simulator.rubygems import Page as GemPage
from tests.simulator.truth import PackageTruth, truth_of

VERSIONS = 10
"""Versions of each package where requests are counted."""


@dataclass(frozen=True, kw_only=True)
class Simulated:
    """The documents of a registry, and their number per package."""

    main: str
    """The document that says which versions there are."""
    new: Mapping[str, int]
    """Requests by kind for a package of :data:`VERSIONS` versions that is new to the graph."""
    update: Mapping[str, int]
    """The same when one version has come to it."""
    readers: tuple[type, type]
    """How the graph's readers evaluate a range, and what they take for a version."""
    names: tuple[str, ...] = ("{}",)
    """Where a text can stand in a name."""
    typical: Callable[[universe.Package, Any], bool] = lambda package, page: True  # noqa: ARG005
    """Of which packages (with their documents) the numbers of requests are true."""


REGISTRIES: Mapping[str, Simulated] = {
    "pypi": Simulated(
        main="pypi.simple",
        new={"pypi.simple": 1, "pypi.metadata": VERSIONS},
        update={"pypi.simple": 1, "pypi.metadata": 1},
        readers=(ranges.PypiVersionRange, kinds.PypiVersion),
    ),
    "npm": Simulated(
        main="npm.packument",
        new={"npm.packument": 1},
        update={"npm.packument": 1},
        readers=(ranges.NpmVersionRange, kinds.SemverVersion),
        names=("{}", "@{}/name", "@scope/{}"),
    ),
    "maven": Simulated(
        main="maven.metadata",
        new={"maven.metadata": 1, "maven.pom": VERSIONS},
        update={"maven.metadata": 1, "maven.pom": 1},
        readers=(ranges.MavenVersionRange, kinds.MavenVersion),
        names=("{}", "{}:name", "group:{}", "group.{}:name"),
        # Without parents and with a complete list.
        typical=lambda package, page: package.index % 2 == 0 and page.hidden is None,
    ),
    "cargo": Simulated(
        main="cargo.index",
        new={"cargo.index": 1},
        update={"cargo.index": 1},
        readers=(ranges.NpmVersionRange, kinds.SemverVersion),
    ),
    "rubygems": Simulated(
        main="rubygems.info",
        new={"rubygems.info": 1, "rubygems.versions": 1},
        update={"rubygems.info": 1, "rubygems.versions": 1},
        readers=(ranges.GemVersionRange, kinds.RubygemsVersion),
        # Where the index does not tell dates, and the versions' metadata the repository.
        typical=lambda package, page: (
            isinstance(page, GemPage) and not page.dated and package.link.field == "source_code_uri"
        ),
    ),
    "nuget": Simulated(
        main="nuget.registration",
        new={"nuget.registration": 1, "nuget.nuspec": 1},
        update={"nuget.registration": 1, "nuget.nuspec": 1},
        readers=(ranges.NugetVersionRange, kinds.NugetVersion),
    ),
}

NAMES = [name for name in ecosystems() if name in REGISTRIES]

every_ecosystem = pytest.mark.parametrize("name", NAMES)


@cache
def registry(name: str) -> Registry:
    """A registry of the simulator, in this process."""
    return open_registry(name, packages=300, missing=0.02)


@cache
def truths(name: str) -> tuple[PackageTruth, ...]:
    """The correct data of its packages; most of them exist."""
    found = tuple(truth_of(p) for p in map(registry(name).package, range(300)) if p)
    assert len(found) > 250
    return found
