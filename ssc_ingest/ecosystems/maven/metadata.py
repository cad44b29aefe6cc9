"""``maven-metadata.xml``: the repository's list of a package's versions.

https://maven.apache.org/repositories/metadata.html. Repository managers and their mergers have
left gaps in it: versions that ``latest``, ``release`` or the old single ``version`` name and the
list lacks. Those are hints, which count if the version's POM is there.
"""

from dataclasses import dataclass

from ssc_ingest.ecosystems.maven.identity import is_version
from ssc_ingest.ecosystems.maven.markup import children, parse_xml, text
from ssc_ingest.errors import MalformedMetadata
from ssc_ingest.models import VersionName

MAX_METADATA = 16 * 1024 * 1024
"""Bytes; 10,000 versions have some 400 KB."""


@dataclass(frozen=True, slots=True)
class VersionList:
    """What the repository lists, and what it only hints at; neither has a version twice."""

    listed: tuple[VersionName, ...]
    hinted: tuple[VersionName, ...]


def parse_metadata(body: bytes, name: str, url: str) -> VersionList:
    """The versions of the package ``group:artifact``.

    Raises:
        MalformedMetadata: not such a document, or that of another package.
    """
    root = parse_xml(body, "metadata", url)
    named = f"{text(root, 'groupId')}:{text(root, 'artifactId')}"
    if text(root, "artifactId") and named.lower() != name.lower():
        raise MalformedMetadata(f"metadata of {name} is that of {named[:200]!r}", url=url)
    elements = children(root, "versioning", "versions", "version")
    listed = dict.fromkeys(map(text, elements))
    paths = (("versioning", "release"), ("versioning", "latest"), ("version",))
    hinted = dict.fromkeys(text(root, *path) for path in paths)
    return VersionList(
        tuple(VersionName(version) for version in listed if is_version(version)),
        tuple(VersionName(v) for v in hinted if is_version(v) and v not in listed),
    )
