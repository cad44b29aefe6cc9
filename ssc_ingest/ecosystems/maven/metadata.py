"""``maven-metadata.xml``: the repository's list of a package's versions.

https://maven.apache.org/repositories/metadata.html. Repository managers and merges have left gaps:
the list lacks versions that ``latest``, ``release`` or the old single ``version`` name. Such a
version counts if its POM exists.
"""

import re
from dataclasses import dataclass
from datetime import datetime

from ssc_ingest.ecosystems.maven.identity import is_version
from ssc_ingest.ecosystems.maven.xml import children, parse_xml, text
from ssc_ingest.errors import MalformedMetadata
from ssc_ingest.models import VersionName

MAX_METADATA = 16 * 1024 * 1024
"""Bytes; 10,000 versions have some 400 KB."""

_STAMP = re.compile(r"[0-9]{14}")


@dataclass(frozen=True, slots=True)
class VersionList:
    """The listed versions, and those that only other fields name, without duplicates."""

    listed: tuple[VersionName, ...]
    hinted: tuple[VersionName, ...]
    updated: datetime | None = None
    """Time of the list's last change, if it has one."""


def parse_metadata(body: bytes, name: str, url: str) -> VersionList:
    """The versions of the package ``group:artifact``.

    Raises:
        MalformedMetadata: the body is not a list of versions, or belongs to another package.
    """
    root = parse_xml(body, "metadata", url)
    named = f"{text(root, 'groupId')}:{text(root, 'artifactId')}"
    if text(root, "artifactId") and named.lower() != name.lower():
        raise MalformedMetadata(
            f"the metadata at the address of {name} belongs to {named[:200]!r}", url=url
        )
    elements = children(root, "versioning", "versions", "version")
    listed = dict.fromkeys(map(text, elements))
    paths = (("versioning", "release"), ("versioning", "latest"), ("version",))
    hinted = dict.fromkeys(text(root, *path) for path in paths)
    return VersionList(
        tuple(VersionName(version) for version in listed if is_version(version)),
        tuple(VersionName(v) for v in hinted if is_version(v) and v not in listed),
        _moment(text(root, "versioning", "lastUpdated")),
    )


def _moment(stamp: str) -> datetime | None:
    if not _STAMP.fullmatch(stamp):
        return None
    try:
        return datetime.strptime(f"{stamp}+0000", "%Y%m%d%H%M%S%z")
    except ValueError:
        return None
