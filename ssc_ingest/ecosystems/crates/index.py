"""The sparse index: one file per crate, one line of JSON per version.

A line that Cargo cannot read is skipped; the crate's other versions are read.
https://doc.rust-lang.org/cargo/reference/registry-index.html
"""

import json
from dataclasses import dataclass
from datetime import datetime

from pydantic import Field

from ssc_ingest.ecosystems.crates.identity import IDENTITY
from ssc_ingest.ecosystems.crates.requirements import Dependency, RequirementReader
from ssc_ingest.ecosystems.wire import (
    Moment,
    WireModel,
    is_version,
    log_skipped,
    read_json,
)
from ssc_ingest.errors import MalformedMetadata
from ssc_ingest.models import PackageRef, Requirement

MAX_INDEX = 32 * 1024 * 1024
"""Bytes; the largest index files have 3 to 5 MB."""

NEWEST_FORMAT = 2
"""Lines of a newer format are skipped, as Cargo does."""

MAX_FEATURES = 1024 * 1024
"""Characters of a version's table; the largest ones have some 100,000."""


class IndexLine(WireModel):
    """One line. ``features2`` are features that older versions of Cargo cannot read."""

    name: str
    vers: str
    deps: tuple[Dependency, ...]
    cksum: str
    features: dict[str, tuple[str, ...]] | None = None
    features2: dict[str, tuple[str, ...]] | None = None
    v: int | None = None
    yanked: bool | None = False
    release_date: Moment = Field(None, alias="pubtime")

    def features_table(self) -> str | None:
        """``features`` of the version: both fields' entries, as Cargo merges them."""
        table = {name: list(enables) for name, enables in (self.features or {}).items()}
        for name, enables in (self.features2 or {}).items():
            table.setdefault(name, []).extend(enables)
        if not table:
            return None
        return json.dumps(table, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


@dataclass(frozen=True, slots=True)
class Release:
    """One version from its line; ``name`` is the registry's spelling of the crate's name."""

    name: str
    vers: str
    cksum: str
    yanked: bool
    release_date: datetime | None
    requirements: tuple[Requirement, ...]
    features: str | None


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


def parse_index(body: bytes, ref: PackageRef, url: str) -> dict[str, Release]:
    """The crate's versions, by version. Equal requirements, and equal tables, are one object.

    Raises:
        MalformedMetadata: the index file has no readable line of this crate in a known format, or
            is truncated.
    """
    releases: dict[str, Release] = {}
    tables: dict[str, str] = {}
    skipped: list[str] = []
    reader = RequirementReader(ref.registry_name)
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
        features = line.features_table()
        if line.name.lower() != ref.name:
            skipped.append(f"line {number} is of {line.name!r}")
        elif not is_version(line.vers):
            skipped.append(f"line {number}: {line.vers!r} is not a version")
        elif features and len(features) > MAX_FEATURES:
            skipped.append(f"line {number}: a table of features with {len(features)} characters")
        else:
            releases[line.vers] = Release(
                name=line.name,
                vers=line.vers,
                cksum=line.cksum,
                yanked=line.yanked is True,
                release_date=line.release_date,
                requirements=reader.read(line.deps),
                features=features and tables.setdefault(features, features),
            )
    if not releases:
        reason = skipped[0] if skipped else "no line of a known format"
        raise MalformedMetadata(f"index of {ref.name} lists no version: {reason}", url=url)
    log_skipped(IDENTITY.name, ref.purl, skipped)
    reader.report()
    return releases


def _is_of_newer_format(text: bytes, url: str) -> bool:
    try:
        return (read_json(_Format, text, url).v or 1) > NEWEST_FORMAT
    except MalformedMetadata:
        return False
