"""The facts in registrations besides ids and ranges, and their correct data in the graph."""

from typing import Any
from zlib import crc32

from tests.simulator.universe import Release, Requirement

PLAIN, ONE_FRAMEWORK = "plain", "one-framework"
"""A dependency of all target frameworks, or of one."""

FRAMEWORKS = (".NETFramework4.6.2", ".NETStandard2.0", "net8.0")

SUCCESSOR = "Sim.Successor"


def has_one_group(release: Release) -> bool:
    """Whether its dependencies are those of every framework."""
    differ = any("\n" in requirement.wire for requirement in release.requirements)
    return crc32(release.version.encode()) % 3 == 0 and not differ


def license_fields(release: Release, url: str) -> dict[str, str]:
    """The fields of an entry about its licence; ``url`` is its page on the registry's site."""
    match crc32(f"licence of {release.version}".encode()) % 3:
        case 0:
            return {"licenseExpression": "MIT", "licenseUrl": url}
        case 1:
            return {"licenseExpression": "", "licenseUrl": "https://licences.example/one"}
    return {"licenseExpression": "", "licenseUrl": "https://aka.ms/deprecateLicenseUrl"}


def deprecation(release: Release) -> dict[str, Any] | None:
    """The fields of a deprecation; ``None`` for a version that is not deprecated."""
    match crc32(release.version.lower().encode()) % 40:
        case 0:
            return {"message": "no longer maintained", "reasons": ["Legacy"]}
        case 10:
            return {"reasons": ["Legacy", "CriticalBugs"]}
        case 20:
            alternate = {"id": SUCCESSOR, "range": "*"}
            return {"message": "moved", "reasons": ["Other"], "alternatePackage": alternate}
        case 30:
            alternate = {"id": SUCCESSOR, "range": "[2.0.0, )"}
            return {"reasons": ["Legacy"], "alternatePackage": alternate}
    return None


def of_release(release: Release) -> dict[str, Any]:
    """Target frameworks, licence and deprecation."""
    found: dict[str, Any] = {}
    if release.requirements and not has_one_group(release):
        found["frameworks"] = [*FRAMEWORKS]
    licences: tuple[dict[str, str], ...] = (
        {"license": "MIT", "license_spdx": "MIT"},
        {"license": "https://licences.example/one"},
        {},
    )
    found |= licences[crc32(f"licence of {release.version}".encode()) % 3]
    notes = {
        0: "no longer maintained",
        10: "Legacy, CriticalBugs",
        20: f"moved; use {SUCCESSOR} instead",
        30: f"Legacy; use {SUCCESSOR} [2.0.0, ) instead",
    }
    if note := notes.get(crc32(release.version.lower().encode()) % 40):
        found["deprecated"] = note
    return found


def of_requirement(release: Release, requirement: Requirement) -> dict[str, Any]:
    """The target frameworks, where they differ, and ranges of which the constraint says less."""
    written = requirement.wire.split("\n")
    text = {} if requirement.text is None else {"text": requirement.text}
    if has_one_group(release) or (len(written) == 1 and requirement.form != ONE_FRAMEWORK):
        return {"declared": [text]} if text else {}
    if requirement.form == ONE_FRAMEWORK:
        return {"declared": [{"framework": FRAMEWORKS[-1], **text}]}
    said = {requirement.constraint} | ({"", "(, )"} if requirement.constraint == "any" else set())
    ranges = (written[place % len(written)] for place in range(len(FRAMEWORKS)))
    return {
        "declared": [
            {"framework": framework} | ({} if range_ in said else {"text": range_})
            for framework, range_ in zip(FRAMEWORKS, ranges, strict=True)
        ]
    }
