"""NuGet's registrations: a package's index, which contains its versions in pages or links them.

https://learn.microsoft.com/nuget/api/registration-base-url-resource. The server makes these
documents, so every field that the specification requires must be present with the right type.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, TypeVar

import structlog
from pydantic import Field, ValidationError

from ssc_ingest.ecosystems.nuget.catalog import normalize_stamp
from ssc_ingest.ecosystems.nuget.identity import IDENTITY, reference
from ssc_ingest.ecosystems.nuget.ranges import to_constraints
from ssc_ingest.ecosystems.nuget.versions import normalize
from ssc_ingest.ecosystems.wire import WireModel, in_utc, malformed
from ssc_ingest.errors import InvalidName, MalformedMetadata
from ssc_ingest.models import PackageRef, Requirement, VersionName

logger = structlog.get_logger(__name__)

MAX_VERSION_LENGTH = 256
"""Characters; NuGet.org accepts 64."""

UNLISTED_YEAR = 1900
"""The year in which NuGet.org dates all unlisted versions."""


class Dependency(WireModel):
    """A package that one version requires; without a range, any version of it."""

    id: str
    range: str | None = None


class DependencyGroup(WireModel):
    """The dependencies for one target framework, or for all frameworks without a group."""

    dependencies: tuple[Dependency, ...] | None = None


class CatalogEntry(WireModel):
    """One version."""

    id: str
    version: str = Field(pattern=r"^[0-9A-Za-z.+-]+$", max_length=MAX_VERSION_LENGTH)
    listed: bool | None = None
    published: str | None = None
    authors: Any = None
    project_url: Any = Field(None, alias="projectUrl")
    dependency_groups: tuple[DependencyGroup, ...] | None = Field(None, alias="dependencyGroups")

    @property
    def release_date(self) -> datetime | None:
        """When it was published, in UTC; unknown for an unlisted version."""
        try:
            moment = datetime.fromisoformat(self.published or "")
            return None if moment.year <= UNLISTED_YEAR else in_utc(moment)
        except (ValueError, OverflowError):
            return None

    @property
    def first_author(self) -> str | None:
        """The first of the authors, which are a list or a text with commas."""
        authors = self.authors if isinstance(self.authors, list) else [self.authors]
        texts = (part for each in authors if isinstance(each, str) for part in each.split(","))
        return next((text for part in texts if (text := part.strip())), None)


class Leaf(WireModel):
    """One version, in a page."""

    entry: CatalogEntry = Field(alias="catalogEntry")


class Page(WireModel):
    """Some versions, or the address of a document with them."""

    url: str = Field(alias="@id", max_length=2000)
    count: int | None = None
    leaves: tuple[Leaf, ...] | None = Field(None, alias="items")


class PageDocument(WireModel):
    """A page outside the index."""

    leaves: tuple[Leaf, ...] = Field(alias="items")


class Index(WireModel):
    """All pages of a package."""

    pages: tuple[Page, ...] = Field(alias="items")
    commit: Any = Field(None, alias="commitTimeStamp")

    @property
    def stamp(self) -> str | None:
        """When it was written, as a normalised stamp, if the source says."""
        try:
            return normalize_stamp(str(self.commit))
        except ValueError:
            return None


Document = TypeVar("Document", Index, PageDocument)


def parse(model: type[Document], body: bytes, ref: PackageRef, url: str) -> Document:
    """The package's index, or one of its pages.

    Raises:
        MalformedMetadata: it is not such a document.
    """
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        raise malformed(error, url, f"registration of {ref.name}") from error


def releases(leaves: Iterable[Leaf], ref: PackageRef, url: str) -> dict[VersionName, CatalogEntry]:
    """The versions by their normalised names; the first of two spellings of one release.

    Raises:
        MalformedMetadata: versions of another package are among them.
    """
    found: dict[VersionName, CatalogEntry] = {}
    seen: set[str] = set()
    for leaf in leaves:
        if leaf.entry.id.lower() != ref.name:
            raise MalformedMetadata(f"registration of {ref.name} has {leaf.entry.id!r}", url=url)
        name = normalize(leaf.entry.version)
        if name.lower() not in seen:
            seen.add(name.lower())
            found[name] = leaf.entry
    return found


def read_requirements(
    entries: Mapping[VersionName, CatalogEntry], package: str
) -> dict[VersionName, tuple[Requirement, ...]]:
    """The requirements of each version, for all target frameworks.

    Names that no package can have are left out and logged.
    """
    skipped: set[str] = set()
    found: dict[VersionName, tuple[Requirement, ...]] = {}
    for version, entry in entries.items():
        packages: dict[str, PackageRef] = {}
        ranges: dict[str, list[str]] = {}
        for group in entry.dependency_groups or ():
            for dependency in group.dependencies or ():
                try:
                    required = reference(dependency.id.strip())
                except InvalidName:
                    skipped.add(dependency.id[:100])
                    continue
                packages.setdefault(required.name, required)
                ranges.setdefault(required.name, []).append(dependency.range or "")
        found[version] = tuple(
            Requirement(required, to_constraints(*ranges[name]))
            for name, required in packages.items()
        )
    if skipped:
        logger.warning(
            "requirements_skipped",
            ecosystem=IDENTITY.name,
            package=package,
            reason="not package ids",
            requirements=sorted(skipped)[:10],
            count=len(skipped),
        )
    return found
