"""NuGet's registrations: a package's index, which contains or links pages of versions.

https://learn.microsoft.com/nuget/api/registration-base-url-resource. The server makes these
documents from what authors sent: a version whose entry is not readable is left out.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, TypeVar

from pydantic import Field

from ssc_ingest.ecosystems.nuget.catalog import normalize_stamp
from ssc_ingest.ecosystems.nuget.identity import IDENTITY, invariant_lower
from ssc_ingest.ecosystems.nuget.versions import normalize
from ssc_ingest.ecosystems.wire import (
    Entry,
    Moment,
    OrNone,
    Unreadable,
    WireModel,
    log_skipped,
    read_json,
)
from ssc_ingest.errors import MalformedMetadata
from ssc_ingest.models import PackageRef, VersionName

MAX_VERSION_LENGTH = 256
"""Maximum characters; NuGet.org accepts 64."""

MAX_DEPRECATION = 1000
"""Characters of the text about a deprecated version; a longer one is cut."""

EVERY = "any"
"""NuGet's name of the target framework of a group that names none."""

UNSUPPORTED = "Unsupported0.0"
"""NuGet.org's name of a target framework that it does not know; it fits no project."""

NO_LICENSE_URL = "https://aka.ms/deprecateLicenseUrl"
"""What NuGet's tools write where the licence is elsewhere."""

UNLISTED_YEAR = 1900
"""The year of the date that NuGet.org gives to all unlisted versions."""


class Dependency(WireModel):
    """A package that one version requires; without a range, any version of it."""

    id: OrNone[str] = None
    range: Any = None

    @property
    def ranges(self) -> list[str]:
        """The range, or several alternative ranges."""
        texts = self.range if isinstance(self.range, list) else [self.range]
        return [text if isinstance(text, str) else "" for text in texts] or [""]


class DependencyGroup(WireModel):
    """The dependencies for one target framework, or for all frameworks without a group."""

    target_framework: Any = Field(None, alias="targetFramework")
    dependencies: tuple[Entry[Dependency], ...] | None = None

    @property
    def framework(self) -> str:
        """The target framework as the registry spells it."""
        if self.target_framework is None:
            return EVERY
        name = self.target_framework if isinstance(self.target_framework, str) else UNSUPPORTED
        return name.strip() or EVERY


class AlternatePackage(WireModel):
    """The package to use instead of a deprecated one."""

    id: str
    range: OrNone[str] = None


class Deprecation(WireModel):
    """The reasons for the deprecation of a version."""

    message: OrNone[str] = None
    reasons: Any = None
    alternate: OrNone[AlternatePackage] = Field(None, alias="alternatePackage")

    def __str__(self) -> str:
        reasons = self.reasons if isinstance(self.reasons, list) else []
        named = ", ".join(reason for reason in reasons if isinstance(reason, str))
        text = (self.message or "").strip() or named or "deprecated"
        if self.alternate:
            range_ = "" if self.alternate.range in {None, "*"} else f" {self.alternate.range}"
            text = f"{text}; use {self.alternate.id}{range_} instead"
        return text


class CatalogEntry(WireModel):
    """One version."""

    id: str
    version: str = Field(pattern=r"^[0-9A-Za-z.+-]+$", max_length=MAX_VERSION_LENGTH)
    listed: OrNone[bool] = None
    published: Moment = None
    authors: Any = None
    project_url: Any = Field(None, alias="projectUrl")
    license_expression: OrNone[str] = Field(None, alias="licenseExpression")
    license_url: OrNone[str] = Field(None, alias="licenseUrl")
    deprecation: OrNone[Deprecation] = None
    dependency_groups: Entry[tuple[DependencyGroup, ...] | None] = Field(
        None, alias="dependencyGroups"
    )

    @property
    def release_date(self) -> datetime | None:
        """Time of publication in UTC; unknown for an unlisted version."""
        published = self.published
        return published if published and published.year > UNLISTED_YEAR else None

    @property
    def license_text(self) -> str | None:
        """The licence's SPDX expression, or else the address of its text."""
        url = self.license_url if self.license_url != NO_LICENSE_URL else None
        return self.license_expression or url

    @property
    def deprecated(self) -> str | None:
        """The publisher's message or reasons, and the package to use instead."""
        return str(self.deprecation)[:MAX_DEPRECATION] if self.deprecation else None

    @property
    def first_author(self) -> str | None:
        """The first author, from a list or a text with commas."""
        authors = self.authors if isinstance(self.authors, list) else [self.authors]
        texts = (part for each in authors if isinstance(each, str) for part in each.split(","))
        return next((text for part in texts if (text := part.strip())), None)


class Leaf(WireModel):
    """One version, in a page."""

    entry: CatalogEntry = Field(alias="catalogEntry")


class Page(WireModel):
    """Some versions, or the address of a document with them."""

    url: str = Field(alias="@id", max_length=2000)
    count: OrNone[int] = None
    leaves: tuple[Entry[Leaf], ...] | None = Field(None, alias="items")


class PageDocument(WireModel):
    """A page outside the index."""

    leaves: tuple[Entry[Leaf], ...] = Field(alias="items")


class Index(WireModel):
    """All pages of a package."""

    pages: tuple[Page, ...] = Field(alias="items")
    commit: Any = Field(None, alias="commitTimeStamp")

    @property
    def stamp(self) -> str | None:
        """Time when the index was written, as a normalised stamp, if known."""
        try:
            return normalize_stamp(str(self.commit))
        except ValueError:
            return None


Document = TypeVar("Document", Index, PageDocument)


def parse(model: type[Document], body: bytes, ref: PackageRef, url: str) -> Document:
    """The package's index, or one of its pages.

    Raises:
        MalformedMetadata: the body is not a document of the registration.
    """
    return read_json(model, body, url, f"registration of {ref.name}")


def releases(
    leaves: Iterable[Leaf | Unreadable], ref: PackageRef, url: str
) -> dict[VersionName, CatalogEntry]:
    """The versions by their normalised names; the first of two spellings of one release.

    Raises:
        MalformedMetadata: no leaf is readable and of this package.
    """
    found: dict[VersionName, CatalogEntry] = {}
    seen: set[str] = set()
    skipped: list[str] = []
    for leaf in leaves:
        if isinstance(leaf, Unreadable):
            skipped.append(leaf.reason)
        elif invariant_lower(leaf.entry.id) != ref.name:
            skipped.append(f"{leaf.entry.id!r} is another package")
        else:
            name = normalize(leaf.entry.version)
            if name.lower() not in seen:
                seen.add(name.lower())
                found[name] = leaf.entry
    if skipped and not found:
        raise MalformedMetadata(f"registration of {ref.name}: {skipped[0]}", url=url)
    log_skipped(IDENTITY.name, ref.purl, skipped)
    return found
