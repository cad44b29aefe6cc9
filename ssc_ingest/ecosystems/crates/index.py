"""The sparse index: one file per crate, one line of JSON per version.

A line that Cargo could not read either is left out; the crate's other versions are read.
https://doc.rust-lang.org/cargo/reference/registry-index.html
"""

from typing import Literal

import structlog
from pydantic import Field

from ssc_ingest.ecosystems.crates.identity import IDENTITY, reference
from ssc_ingest.ecosystems.crates.ranges import to_constraints
from ssc_ingest.ecosystems.wire import (
    Moment,
    WireModel,
    is_version,
    log_skipped,
    read_json,
)
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
    v: int | None = None
    yanked: bool | None = False
    release_date: Moment = Field(None, alias="pubtime")


class _Format(WireModel):
    v: int | None = None


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
        MalformedMetadata: it has no readable line of this crate in a known format, or is truncated.
    """
    lines: dict[str, IndexLine] = {}
    skipped: list[str] = []
    *_, rest = texts = body.split(b"\n")
    for number, text in enumerate(filter(None, map(bytes.strip, texts)), 1):
        try:
            line = read_json(IndexLine, text, url)
        except MalformedMetadata as error:
            if text == rest.strip():  # the last line, which does not end
                raise MalformedMetadata(
                    f"index of {ref.name} is truncated: {error}", url=url
                ) from error
            if not _is_of_newer_format(text, url):
                skipped.append(f"line {number}: {error}")
            continue
        if (line.v or 1) > NEWEST_FORMAT:
            continue
        if line.name.lower() != ref.name:
            skipped.append(f"line {number} is of {line.name!r}")
        elif not is_version(line.vers):
            skipped.append(f"line {number}: {line.vers!r} is not a version")
        else:
            lines[line.vers] = line
    if not lines:
        reason = skipped[0] if skipped else "no line of a known format"
        raise MalformedMetadata(f"index of {ref.name} lists no version: {reason}", url=url)
    log_skipped(IDENTITY.name, ref.purl, skipped)
    return lines


def _is_of_newer_format(text: bytes, url: str) -> bool:
    try:
        return (read_json(_Format, text, url).v or 1) > NEWEST_FORMAT
    except MalformedMetadata:
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
