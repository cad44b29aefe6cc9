"""npm's document of a package (the "packument"), with the used fields.

https://github.com/npm/registry/blob/main/docs/responses/package-metadata.md. One document has all
versions, as clients have sent them for fifteen years without any check. The outer structure must be
valid. A version that is not an object or has an invalid key is skipped, and an inner field of the
wrong type counts as absent.
"""

from collections.abc import Iterator
from datetime import datetime
from functools import cached_property
from typing import Any

from pydantic import Field

from ssc_ingest.ecosystems.repository_urls import expand_shorthand
from ssc_ingest.ecosystems.wire import (
    Entry,
    Unreadable,
    WireModel,
    is_version,
    parse_moment,
    read_json,
)
from ssc_ingest.errors import MalformedMetadata


class _Links(WireModel):
    """Possible addresses of a package's source; strings, objects or anything else."""

    repository: Any = None
    homepage: Any = None
    bugs: Any = None

    def addresses(self) -> Iterator[str]:
        """Candidates for the repository's address, best first."""
        repositories = self.repository if isinstance(self.repository, list) else [self.repository]
        for value in repositories:
            text = value.get("url") if isinstance(value, dict) else value
            if isinstance(text, str):
                yield expand_shorthand(text)
        homepage = self.homepage[0] if self.homepage and isinstance(self.homepage, list) else None
        bugs = self.bugs.get("url") if isinstance(self.bugs, dict) else self.bugs
        yield from (text for text in (homepage or self.homepage, bugs) if isinstance(text, str))


class Manifest(_Links):
    """One version: its ``package.json`` as it was published.

    :mod:`.requirements` reads the dependencies, :mod:`.import_names` what can be imported,
    :mod:`.facts` the rest.
    """

    dependencies: Any = None
    optional_dependencies: Any = Field(None, alias="optionalDependencies")
    bundle_dependencies: Any = Field(None, alias="bundleDependencies")
    bundled_dependencies: Any = Field(None, alias="bundledDependencies")
    peer_dependencies: Any = Field(None, alias="peerDependencies")
    peer_dependencies_meta: Any = Field(None, alias="peerDependenciesMeta")
    engines: Any = None
    os: Any = None
    cpu: Any = None
    license: Any = None
    licenses: Any = None
    deprecated: Any = None
    exports: Any = None
    main: Any = None
    module: Any = None
    browser: Any = None
    types: Any = None
    typings: Any = None
    dist: Any = None


class Packument(_Links):
    """A package with all its versions."""

    name: str
    entries: dict[str, Entry[Manifest]] | None = Field(None, alias="versions")
    time: Any = None
    tags: Any = Field(None, alias="dist-tags")

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
        """Whether only the name of the package is left."""
        return not self.entries

    def release_date(self, version: str) -> datetime | None:
        """When the version was published, if the document has it."""
        return parse_moment(self.time.get(version) if isinstance(self.time, dict) else None)


def parse_packument(body: bytes, name: str, url: str) -> Packument:
    """Read the document of the package of that name.

    Raises:
        MalformedMetadata: the body is not a packument, belongs to another package, or has no
            readable version.
    """
    packument = read_json(Packument, body, url, f"packument of {name}")
    if packument.entries and not packument.versions:
        raise MalformedMetadata(f"packument of {name}: {packument.skipped[0]}", url=url)
    if packument.name.lower() != name.lower():
        raise MalformedMetadata(f"packument of {name} belongs to {packument.name!r}", url=url)
    return packument


def parse_manifest(body: bytes, name: str, url: str) -> Manifest:
    """Read the document of one version of the package of that name.

    Raises:
        MalformedMetadata: the body is not a JSON object.
    """
    return read_json(Manifest, body, url, f"manifest of {name}")
