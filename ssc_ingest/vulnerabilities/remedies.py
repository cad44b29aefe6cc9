"""The nearest release that no advisory affects."""

import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

from ssc_ingest.ecosystems.base import Ecosystem
from ssc_ingest.models import VersionName

_MAJOR = re.compile(r"v?((?:[0-9]+!)?[0-9]+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Release:
    """The properties of a version for finding a remedy."""

    name: VersionName
    is_affected: bool
    """Whether an advisory affects it."""
    is_yanked: bool = False


@dataclass(frozen=True, slots=True)
class Remedy:
    """The nearest unaffected releases of an affected version; ``None`` if there is none."""

    same_major: VersionName | None
    """In the same major line."""
    overall: VersionName | None


def major_line(version: str) -> str | None:
    """The first number of a version, with its epoch: ``1`` of ``1.2``, ``1!2`` of ``1!2.3``."""
    match = _MAJOR.match(version)
    return match[1] if match else None


def remedies(ecosystem: type[Ecosystem], releases: Sequence[Release]) -> dict[VersionName, Remedy]:
    """Find the nearest unaffected release for each affected version.

    It is the next later release, or else the last earlier one. Prereleases, yanked versions and
    unparsable versions are skipped.

    Args:
        ecosystem: of the package.
        releases: all versions of the package, by serial number.
    """
    candidates = [
        position
        for position, each in enumerate(releases)
        if not (each.is_affected or each.is_yanked)
        and ecosystem.sort_key(each.name) is not None
        and not ecosystem.is_prerelease(each.name)
    ]
    lines: dict[str | None, list[int]] = {}
    for position in candidates:
        lines.setdefault(major_line(releases[position].name), []).append(position)
    found: dict[VersionName, Remedy] = {}
    for position, each in enumerate(releases):
        if each.is_affected:
            line = major_line(each.name)
            same = _nearest(lines.get(line, ()), position) if line is not None else None
            overall = _nearest(candidates, position)
            found[each.name] = Remedy(
                None if same is None else releases[same].name,
                None if overall is None else releases[overall].name,
            )
    return found


def _nearest(positions: Sequence[int], position: int) -> int | None:
    """The first release after a position, or else the last one before it."""
    place = bisect_left(positions, position)
    if place < len(positions):
        return positions[place]
    return positions[-1] if positions else None
