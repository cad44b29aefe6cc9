"""Documents of RubyGems.org's JSON API, with data that the compact index lacks.

https://guides.rubygems.org/rubygems-org-api/: ``versions/NAME.json`` has dates, licences and the
metadata of each version's gemspec, ``gems/NAME.json`` links and licences of the latest version.
Authors' metadata may contain anything, so a link that is not text and an unreadable version count
as absent.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from pydantic import RootModel

from ssc_ingest.ecosystems.licenses import license_facts
from ssc_ingest.ecosystems.rubygems.info import PURE_RUBY
from ssc_ingest.ecosystems.wire import Entry, Moment, OrNone, Unreadable, WireModel, read_json
from ssc_ingest.errors import MalformedMetadata
from ssc_ingest.models import VersionName

LicenseFacts = tuple[str | None, str | None]
"""As the publisher writes it, and as an SPDX expression."""


class Links(WireModel):
    """Possible addresses of a gem's source."""

    source_code_uri: Any = None
    homepage_uri: Any = None
    bug_tracker_uri: Any = None

    def addresses(self) -> Iterator[str]:
        """Candidates for the repository's address, best first."""
        candidates = (self.source_code_uri, self.homepage_uri, self.bug_tracker_uri)
        yield from (text for text in candidates if isinstance(text, str))


class Gem(Links):
    """``gems/NAME.json``."""

    name: str
    version: OrNone[str] = None
    licenses: Any = None


class ReleasedBuild(WireModel):
    """An element of ``versions/NAME.json``: one version as built for one platform."""

    number: str
    platform: OrNone[str] = PURE_RUBY
    created_at: Moment = None
    metadata: Any = None
    licenses: Any = None

    @property
    def links(self) -> Links:
        """The links in the gemspec's metadata, as written by the author."""
        return Links.model_validate(self.metadata if isinstance(self.metadata, dict) else {})


class _ReleasedBuilds(RootModel[list[Entry[ReleasedBuild]]]):
    pass


def parse_releases(body: bytes, url: str) -> list[ReleasedBuild]:
    """All builds of all versions that are not yanked.

    Raises:
        MalformedMetadata: the body is not a list of builds, or has no readable entry.
    """
    entries = read_json(_ReleasedBuilds, body, url, "list of versions").root
    builds = [entry for entry in entries if not isinstance(entry, Unreadable)]
    if entries and not builds:
        raise MalformedMetadata("list of versions: none of them is readable", url=url)
    return builds


def parse_gem(body: bytes, name: str, url: str) -> Gem:
    """The gem of that name.

    Raises:
        MalformedMetadata: the body is not a gem's document, or belongs to another gem.
    """
    gem = read_json(Gem, body, url, f"document of {name}")
    if gem.name != name:
        raise MalformedMetadata(f"document of {name} belongs to {gem.name!r}", url=url)
    return gem


def release_dates(builds: Iterable[ReleasedBuild]) -> dict[VersionName, datetime]:
    """The date of each version's first build."""
    dates: dict[VersionName, datetime] = {}
    for build in builds:
        if date := build.created_at:
            number = VersionName(build.number)
            dates[number] = min(date, dates.get(number, date))
    return dates


def links_of(builds: Iterable[ReleasedBuild], version: VersionName | None) -> Iterator[str]:
    """Addresses in the metadata of one version, those of the pure Ruby build first."""
    of_version = [build for build in builds if build.number == version]
    for build in sorted(of_version, key=lambda build: build.platform != PURE_RUBY):
        yield from build.links.addresses()


def licenses_of(builds: Iterable[ReleasedBuild]) -> dict[VersionName, LicenseFacts]:
    """The licences of each version that has any, those of the pure Ruby build first."""
    found: dict[VersionName, LicenseFacts] = {}
    for build in sorted(builds, key=lambda build: build.platform != PURE_RUBY):
        facts = license_of(build.licenses)
        if any(facts):
            found.setdefault(VersionName(build.number), facts)
    return found


def license_of(licenses: Any) -> LicenseFacts:
    """A list of licences as one text.

    It is an expression only if there is one licence: the gemspec does not say whether several apply
    together or by choice.
    """
    listed = licenses if isinstance(licenses, list) else []
    names = [name for name in listed if isinstance(name, str) and name.strip()]
    text, spdx = license_facts(", ".join(names))
    return text, spdx if len(names) == 1 else None
