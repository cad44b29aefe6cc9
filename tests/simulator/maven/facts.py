"""The facts in POMs besides names and versions, and their correct data in the graph."""

from typing import Any
from zlib import crc32

from tests.simulator.maven import forms
from tests.simulator.universe import Package, Release, Requirement

EXCLUDED = "org.excluded:*"
CORPORATE_LICENSE = "The Corporate Licence"
"""What inherits from the corporate parent, and has no other."""

_OWN_LICENSES: tuple[tuple[tuple[str, ...], str | None], ...] = (
    ((), None),
    (("Apache License, Version 2.0",), None),
    (("MIT", "Apache-2.0"), "MIT OR Apache-2.0"),
    ((), None),
)
"""Names, and the expression that they make: of several licences one may choose."""


def own_licenses(release: Release) -> tuple[str, ...]:
    """The licences in the release's own POM."""
    return _OWN_LICENSES[_choice(release)][0]


def relocation_message(release: Release) -> str:
    """What the POM of a relocated release says about it."""
    moved = release.form == forms.RELOCATED and release.requirements
    return "Moved, see\n  the new place" if moved and _choice(release) % 2 else ""


def of_release(package: Package, release: Release) -> dict[str, Any]:
    """Licence, and the message of a relocation."""
    names, spdx = _OWN_LICENSES[_choice(release)]
    inherits = release.form not in {forms.ORPHAN, forms.RELOCATED} or (
        release.form == forms.RELOCATED and not release.requirements
    )
    has_parent = package.index % 2 or any(r.form in forms.IN_PARENT for r in release.requirements)
    if not names and inherits and has_parent:
        names = (CORPORATE_LICENSE,)
    found = {
        "license": " OR ".join(names),
        "license_spdx": spdx,
        "deprecated": " ".join(relocation_message(release).split()),
    }
    return {name: value for name, value in found.items() if value}


def of_requirement(release: Release, requirement: Requirement) -> dict[str, Any]:
    """Scope, and all that is ``declared``."""
    if release.form == forms.RELOCATED:
        return {"kind": "relocation"}
    form = requirement.form
    common: dict[str, Any] = {}
    if form in {forms.PROPERTY, forms.MANAGED}:
        common["scope"] = "runtime"
    if form in forms.FROM_MANAGEMENT and not _is_lost(release, requirement):
        common["managed"] = True
    if form == forms.EXCLUDING:
        common["exclusions"] = [EXCLUDED]
    lines = requirement.wire.split("\n")
    declared = [
        common
        | ({"text": text} if (text := _text(release, requirement, line, len(lines))) else {})
        | ({"classifier": f"jdk{number}"} if number else {})
        for number, line in enumerate(lines)
    ]
    found: dict[str, Any] = {"kind": "runtime"} if "scope" in common else {}
    if len(declared) > 1 or declared[0].keys() - {"scope"}:
        found["declared"] = declared
    return found


def _text(release: Release, requirement: Requirement, line: str, lines: int) -> str | None:
    """The version as a declaration has it, where the constraint says something else."""
    if _is_lost(release, requirement):
        number = release.requirements.index(requirement)
        is_property = requirement.form == forms.PARENT_PROPERTY
        return f"${{dependency.{number}.version}}" if is_property else None
    return line if lines > 1 else requirement.text


def _is_lost(release: Release, requirement: Requirement) -> bool:
    """Whether its version stood in a parent that is not there."""
    return release.form == forms.ORPHAN and requirement.form in forms.IN_PARENT


def _choice(release: Release) -> int:
    return crc32(f"licence of {release.version}".encode()) % len(_OWN_LICENSES)
