"""npm's choice of a version for a range.

https://github.com/npm/npm-pick-manifest and https://github.com/npm/node-semver
"""

import json
import re
from dataclasses import dataclass
from functools import lru_cache

from benchmarks.resolver_truth.graph import StoredPackage, StoredVersion
from benchmarks.resolver_truth.prereleases import admits
from ssc_ingest.ecosystems.npm.ranges import parse_range
from ssc_ingest.ecosystems.semver import SemVer, parse_version

_NOT_OF_REGISTRIES = re.compile(r"^[a-z+]+:|^[^@\s]+/")


@dataclass(frozen=True, slots=True)
class Runtimes:
    """The versions of Node.js and npm for an installation."""

    node: str
    npm: str


@lru_cache(maxsize=65_536)
def order(version: str) -> SemVer:
    """The version's sort key; an unparsable version comes first."""
    return parse_version(version) or SemVer(-1, 0, 0)


@lru_cache(maxsize=65_536)
def satisfies(version: str, range_: str, *, prereleases: bool = False) -> bool:
    """Whether a range contains a version.

    Prereleases only if a bound has the same release, or with ``prereleases``.
    """
    parsed = parse_version(version)
    return parsed is not None and any(
        admits(each, parsed, prereleases=prereleases) for each in parse_range(range_) or ()
    )


def is_from_registry(text: str) -> bool:
    """Whether a requirement is a range, a version or a tag, not an address or path."""
    return parse_range(text) is not None or not _NOT_OF_REGISTRIES.match(text)


def is_met_by(version: str, text: str) -> bool:
    """Whether a package in that version meets a requirement; tags are met by any version."""
    if parse_range(text) is None:
        return is_from_registry(text)
    return not text or text == "*" or satisfies(version, text)


def pick(package: StoredPackage, text: str, runtimes: Runtimes) -> StoredVersion | None:
    """The version that npm installs for a range, a version or a tag; ``None`` if there is none.

    The version of the tag ``latest`` if it is in the range, not deprecated and compatible with the
    runtimes. Otherwise the highest one; deprecated and incompatible versions come last.
    """
    tags: dict[str, str] = json.loads(package.properties.get("dist_tags") or "{}")
    if parse_range(text) is None:
        return package.versions.get(tags.get(text, ""))
    latest = package.versions.get(tags.get("latest", ""))
    if (
        latest
        and (text in {"", "*"} or satisfies(latest.name, text))
        and _runs_on(latest, runtimes)
        and not latest.properties.get("deprecated")
    ):
        return latest
    found = [each for each in package.versions.values() if satisfies(each.name, text or "*")]

    def rank(version: StoredVersion) -> tuple[bool, bool, bool, SemVer]:
        runs, well = _runs_on(version, runtimes), not version.properties.get("deprecated")
        return runs and well, runs, well, order(version.name)

    return max(found, key=rank, default=None)


def _runs_on(version: StoredVersion, runtimes: Runtimes) -> bool:
    engines = json.loads(version.properties.get("engines") or "{}")
    return all(
        not engines.get(name) or satisfies(runtime, engines[name], prereleases=True)
        for name, runtime in (("node", runtimes.node), ("npm", runtimes.npm))
    )
