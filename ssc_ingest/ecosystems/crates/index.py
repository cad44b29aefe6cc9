"""The sparse index: one file per crate, one line of JSON per version.

https://doc.rust-lang.org/cargo/reference/registry-index.html
"""

from datetime import UTC, datetime
from typing import Literal

import structlog
from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from ssc_ingest.ecosystems.crates.identity import IDENTITY, reference
from ssc_ingest.ecosystems.crates.ranges import to_constraints
from ssc_ingest.errors import InvalidName, MalformedMetadata
from ssc_ingest.models import PackageRef, Purl, Requirement

logger = structlog.get_logger(__name__)

NEWEST_FORMAT = 2
"""Cargo passes over lines of a newer format than it knows, and so do we."""


class _WireModel(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class Dependency(_WireModel):
    """What one version asks for; ``package`` is the real name where ``name`` is an alias."""

    name: str
    req: str
    kind: Literal["normal", "build", "dev"] | None = None
    registry: str | None = None
    package: str | None = None

    @property
    def is_installed(self) -> bool:
        """Whether building the crate may fetch it; optional ones and those of some targets may."""
        return self.kind != "dev" and self.registry is None


class IndexLine(_WireModel):
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


class _Format(_WireModel):
    v: int = 1


def index_path(name: str) -> tuple[str, ...]:
    """Where a crate's file is: ``("se", "rd", "serde")``; short names have folders of their own."""
    name = name.lower()
    if len(name) <= 2:  # noqa: PLR2004
        return str(len(name)), name
    if len(name) == 3:  # noqa: PLR2004
        return "3", name[0], name
    return name[:2], name[2:4], name


def parse_index(body: bytes, ref: PackageRef, url: str) -> dict[str, IndexLine]:
    """The crate's versions, by version.

    Raises:
        MalformedMetadata: not an index file, one of another crate, or one without a line of a
            format that we know.
    """
    lines: dict[str, IndexLine] = {}
    for number, text in enumerate(filter(None, body.split(b"\n")), 1):
        try:
            line = IndexLine.model_validate_json(text)
        except ValidationError as error:
            if _is_of_newer_format(text):
                continue
            first = error.errors(include_input=False, include_url=False)[0]
            field = ".".join(map(str, first["loc"])) or "the line"
            raise MalformedMetadata(
                f"index of {ref.name}, line {number}: {field}: {first['msg']}", url=url
            ) from error
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
    """The version's requirements by crate; ranges of one that is named twice are united."""
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
