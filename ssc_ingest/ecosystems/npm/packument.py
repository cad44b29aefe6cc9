"""npm's document of a package (the "packument"), and the fields of it that are used.

https://github.com/npm/registry/blob/main/docs/responses/package-metadata.md. One document holds
all versions, as clients have sent them for fifteen years without any check. So the outer structure
must be valid, a version that is no object or has an invalid key is left out, and an inner field of
the wrong type counts as absent.
"""

import re
from collections.abc import Iterator
from datetime import datetime
from functools import cached_property
from typing import Any

from pydantic import Field

from ssc_ingest.ecosystems.npm.aliases import resolve_alias
from ssc_ingest.ecosystems.npm.identity import IDENTITY, reference
from ssc_ingest.ecosystems.npm.ranges import to_constraints
from ssc_ingest.ecosystems.repository_urls import expand_shorthand
from ssc_ingest.ecosystems.shared_requirements import SharedRequirements
from ssc_ingest.ecosystems.wire import (
    Entry,
    Unreadable,
    WireModel,
    is_version,
    parse_moment,
    read_json,
)
from ssc_ingest.errors import MalformedMetadata
from ssc_ingest.models import Requirement


class _Links(WireModel):
    """Possible addresses of a package's source; strings, objects or anything else."""

    repository: Any = None
    homepage: Any = None
    bugs: Any = None

    def addresses(self) -> Iterator[str]:
        """Candidates for the repository's address, the best first."""
        repositories = self.repository if isinstance(self.repository, list) else [self.repository]
        for value in repositories:
            text = value.get("url") if isinstance(value, dict) else value
            if isinstance(text, str):
                yield expand_shorthand(text)
        homepage = self.homepage[0] if self.homepage and isinstance(self.homepage, list) else None
        bugs = self.bugs.get("url") if isinstance(self.bugs, dict) else self.bugs
        yield from (text for text in (homepage or self.homepage, bugs) if isinstance(text, str))


class Manifest(_Links):
    """One version: its ``package.json`` as it was published."""

    dependencies: Any = None
    bundle_dependencies: Any = Field(None, alias="bundleDependencies")
    bundled_dependencies: Any = Field(None, alias="bundledDependencies")

    def installed_from_registry(self) -> dict[str, Any]:
        """Ranges by name of the packages that installing this version fetches.

        ``optionalDependencies`` are included only if the publishing client copied them into
        ``dependencies``; bundled packages are inside this package's own archive.
        """
        found = _by_name(self.dependencies)
        for bundled in (self.bundle_dependencies, self.bundled_dependencies):
            if bundled is True:
                return {}
            if isinstance(bundled, list | dict):
                found = {name: text for name, text in found.items() if name not in bundled}
        return found


class Packument(_Links):
    """A package with all its versions."""

    name: str
    entries: dict[str, Entry[Manifest]] | None = Field(None, alias="versions")
    time: Any = None

    @cached_property
    def versions(self) -> dict[str, Manifest]:
        """The readable versions."""
        return {
            key: entry
            for key, entry in (self.entries or {}).items()
            if isinstance(entry, Manifest) and is_version(key)
        }

    @property
    def skipped(self) -> list[str]:
        """The other versions, for the log."""
        return [
            f"{key!r}: {entry.reason if isinstance(entry, Unreadable) else 'not a version'}"
            for key, entry in (self.entries or {}).items()
            if key not in self.versions
        ]

    @property
    def is_unpublished(self) -> bool:
        """Whether nothing is left of the package but its name."""
        return not self.entries

    def release_date(self, version: str) -> datetime | None:
        """When the version was published, if the document has it."""
        return parse_moment(self.time.get(version) if isinstance(self.time, dict) else None)


def parse_packument(body: bytes, name: str, url: str) -> Packument:
    """Read the document of the package of that name.

    Raises:
        MalformedMetadata: it is not such a document, belongs to another package, or none of its
            versions is readable.
    """
    packument = read_json(Packument, body, url, f"packument of {name}")
    if packument.entries and not packument.versions:
        raise MalformedMetadata(f"packument of {name}: {packument.skipped[0]}", url=url)
    if packument.name.lower() != name.lower():
        raise MalformedMetadata(f"packument of {name} belongs to {packument.name!r}", url=url)
    return packument


class RequirementReader:
    """Reads the requirements of one package's versions."""

    def __init__(self, package: str) -> None:
        self._package = package
        self._requirements = SharedRequirements(reference, to_constraints)

    def read(self, manifest: Manifest) -> tuple[Requirement, ...]:
        """The requirements, one per package; ranges of a repeated package are united."""
        ranges: dict[str, tuple[str, ...]] = {}
        for name, text in manifest.installed_from_registry().items():
            target, range_ = resolve_alias(name, text if isinstance(text, str) else "")
            ranges[target] = (*ranges.get(target, ()), range_)
        found = (self._requirements.get(name, *texts) for name, texts in ranges.items())
        return tuple(requirement for requirement in found if requirement)

    def report(self) -> None:
        """Log, once per package, the names that npm cannot have."""
        self._requirements.report(IDENTITY.name, self._package)


_LISTED_NAME = re.compile(r"[^\s@><=]+")


def _by_name(dependencies: Any) -> dict[str, Any]:
    """Read ``dependencies``; in old manifests a list of ``name range`` or ``name@range``.

    They may also be one text of names. https://github.com/npm/normalize-package-data
    """
    if isinstance(dependencies, dict):
        return dependencies
    if isinstance(dependencies, str):
        dependencies = re.split(r"[\s,]+", dependencies)
    if not isinstance(dependencies, list):
        return {}
    listed = [item.strip() for item in dependencies if isinstance(item, str)]
    names = [(item, match[0]) for item in listed if (match := _LISTED_NAME.match(item))]
    return {name: item.removeprefix(name).strip().removeprefix("@") for item, name in names}
