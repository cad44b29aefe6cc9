"""Names of the packages of Maven Central, and paths of their files.

A package is a group and an artifact, ``group:artifact``. The repository's paths are
case-sensitive, so names that differ in case are different packages, and the package URL keeps the
registry's spelling. :mod:`ssc_ingest.ecosystems.lower_case` assigns the lower-case name.
https://maven.apache.org/pom.html#Maven_Coordinates,
https://maven.apache.org/repositories/layout.html
"""

import re
from functools import lru_cache
from typing import NamedTuple

from ssc_ingest.ecosystems.base import Identity
from ssc_ingest.ecosystems.endpoints import Endpoint, Option
from ssc_ingest.errors import InvalidName
from ssc_ingest.models import PackageRef, Purl

INLINE, CONTAINER = "inline", "container"

INDEX_READER = Option(
    key="index_reader",
    choices=(INLINE, CONTAINER),
    about="Where the index is read for a listing: in this process (inline), or in a container of a "
    "Docker engine (container).",
)

IDENTITY = Identity(
    name="maven",
    title="Maven Central",
    label="MavenPackage",
    purl_type="maven",
    osv_name="Maven",
    ingestion_hour=4,
    update_hour=14,
    endpoints=(
        Endpoint(
            key="repository",
            url="https://repo1.maven.org/maven2",
            rate=5,
            about="the repository: lists of versions, POMs and jars",
        ),
        Endpoint(
            key="index",
            url="https://repo1.maven.org/maven2/.index",
            rate=5,
            about="the index, or a mirror of it such as "
            "https://maven-central.storage.googleapis.com/repos/central/data/.index",
        ),
    ),
    options=(INDEX_READER,),
)

MAX_PART_LENGTH = 255
"""Maximum characters of a group or an artifact; file systems have no longer names."""

# Maven's own rule (DefaultModelValidator: [A-Za-z0-9_\-.]+), without names that would lead
# elsewhere in a path: a group's dots are slashes, an artifact is one segment.
_GROUP = re.compile(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*")
_ARTIFACT = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*")
# A version is one segment of a path, not a property or range.
_VERSION = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9_.+~!@=-]{1,255}")


class Coordinates(NamedTuple):
    """One release: a group, an artifact and a version."""

    group: str
    artifact: str
    version: str

    @property
    def are_usable(self) -> bool:
        """Whether they name a path in the repository, not a property or range."""
        return bool(
            _GROUP.fullmatch(self.group)
            and _ARTIFACT.fullmatch(self.artifact)
            and _VERSION.fullmatch(self.version)
        )

    @property
    def pom_path(self) -> tuple[str, ...]:
        """The path of the release's POM; only for usable coordinates."""
        return self.file_path("pom")

    def file_path(self, extension: str) -> tuple[str, ...]:
        """The path of one of the release's files; only for usable coordinates.

        None of their possible characters needs percent-encoding in a path (RFC 3986, 3.3).
        """
        name = f"{self.artifact}-{self.version}.{extension}"
        return (*self.group.split("."), self.artifact, self.version, name)

    def __str__(self) -> str:
        return ":".join(self)


@lru_cache(maxsize=16_384)
def reference(name: str) -> PackageRef:
    """The package ``group:artifact``.

    ``name`` of the result is provisional for a package with capitals: :mod:`.lower_case`.

    Raises:
        InvalidName: Maven does not allow such a name.
    """
    group, colon, artifact = name.partition(":")
    valid = (
        colon
        and max(len(group), len(artifact)) <= MAX_PART_LENGTH
        and _GROUP.fullmatch(group)
        and _ARTIFACT.fullmatch(artifact)
    )
    if not valid:
        shown = name if len(name) <= MAX_PART_LENGTH else f"{name[:MAX_PART_LENGTH]}..."
        raise InvalidName(
            f"{shown!r} cannot be a Maven package: expected group:artifact of letters, digits "
            "and - _ . (org.slf4j:slf4j-api)"
        )
    return PackageRef(
        ecosystem=IDENTITY.name,
        label=IDENTITY.label,
        purl=Purl(f"pkg:{IDENTITY.purl_type}/{group}/{artifact}"),
        name=name.lower(),
        registry_name=name,
        properties={"group_id": group, "artifact_id": artifact},
    )


def metadata_path(name: str) -> tuple[str, ...]:
    """The path of the list of a package's versions."""
    group, _, artifact = name.partition(":")
    return (*group.split("."), artifact, "maven-metadata.xml")


def is_version(text: str) -> bool:
    """Whether the text can be a version in the repository."""
    return _VERSION.fullmatch(text) is not None
