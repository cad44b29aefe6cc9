"""The sparse index: one file per crate, one line of JSON per version.

https://doc.rust-lang.org/cargo/reference/registry-index.html
"""

from datetime import UTC, datetime
from typing import Literal

import structlog
from pydantic import AwareDatetime, ValidationError

from ssc_ingest.ecosystems.crates.identity import IDENTITY, reference
from ssc_ingest.ecosystems.crates.ranges import to_constraints
from ssc_ingest.ecosystems.wire import WireModel, malformed
from ssc_ingest.errors import InvalidName, MalformedMetadata
from ssc_ingest.models import PackageRef, Purl, Requirement

logger = structlog.get_logger(__name__)

NEWEST_FORMAT = 2
"""Lines of a newer format are skipped, as Cargo does."""


class Dependency(WireModel):
    """A requirement of one version; ``package`` is the real name if ``name`` is an alias."""

    name: str
    req: str
    kind: Literal["normal", "build", "dev"] | None = None
    registry: str | None = None
    package: str | None = None

    @property
    def is_installed(self) -> bool:
        """Whether building the crate may fetch it, for some target or feature."""
        return self.kind != "dev" and self.registry is None


class IndexLine(WireModel):
    """One version."""

    name: str
    vers: str
    deps: tuple[Dependency, ...]
    cksum: str
    v: int = 1
    yanked: bool = False
    pubtime: AwareDatetime | None = None

    @property
    def release_date(self) -> datetime | None:
        """When it was published, in UTC."""
        return self.pubtime and self.pubtime.astimezone(UTC)


class _Format(WireModel):
    v: int = 1


def index_path(name: str) -> tuple[str, ...]:
    """The path of a crate's file: ``("se", "rd", "serde")``; short names have other folders."""
    name = name.lower()
    if len(name) <= 2:  # noqa: PLR2004
        return str(len(name)), name
    if len(name) == 3:  # noqa: PLR2004
        return "3", name[0], name
    return name[:2], name[2:4], name


def parse_index(body: bytes, ref: PackageRef, url: str) -> dict[str, IndexLine]:
    """The crate's versions, by version.

    Raises:
        MalformedMetadata: it is not an index file, belongs to another crate, or has no line of a
            known format.
    """
    lines: dict[str, IndexLine] = {}
    for number, text in enumerate(filter(None, body.split(b"\n")), 1):
        try:
            line = IndexLine.model_validate_json(text)
        except ValidationError as error:
            if _is_of_newer_format(text):
                continue
            raise malformed(error, url, f"index of {ref.name}, line {number}") from error
        if line.v > NEWEST_FORMAT:
            continue
        if line.name.lower() != ref.name:
            raise MalformedMetadata(f"index of {ref.name} names {line.name!r}", url=url)
        lines[line.vers] = line
    if not lines:
        raise MalformedMetadata(f"index of {ref.name} lists no version", url=url)
    return lines


def _is_of_newer_format(text: bytes) -> bool:
    try:
        return _Format.model_validate_json(text).v > NEWEST_FORMAT
    except ValidationError:
        return False


def read_requirements(line: IndexLine) -> tuple[Requirement, ...]:
    """The version's requirements, one per crate; ranges of a repeated crate are united."""
    crates: dict[Purl, PackageRef] = {}
    ranges: dict[Purl, list[str]] = {}
    for dependency in line.deps:
        if not dependency.is_installed:
            continue
        name = dependency.package or dependency.name
        try:
            crate = reference(name)
        except InvalidName:
            logger.warning(
                "requirement_skipped",
                ecosystem=IDENTITY.name,
                package=line.name,
                version=line.vers,
                requirement=name[:100],
                reason="not a crate name",
            )
            continue
        crates.setdefault(crate.purl, crate)
        ranges.setdefault(crate.purl, []).append(dependency.req)
    return tuple(Requirement(crates[purl], to_constraints(*ranges[purl])) for purl in crates)
