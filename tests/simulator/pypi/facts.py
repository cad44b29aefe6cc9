"""The correct facts of a project's releases in the graph."""

from typing import Any, NamedTuple

from tests.simulator.pypi.ranges import DECLARED
from tests.simulator.universe import Package, Release, Requirement

# Ways to publish a release. Of the bare ones, no document of the index tells the requirements:
# they are in a file of the release, or nowhere.
WHEEL, WHEELS, OLD_KEY, SDIST = "wheel", "wheels", "old-key", "sdist"
WHEEL_BARE, SDIST_STATIC, SDIST_REQUIRES, SDIST_BARE = (
    "wheel-bare",
    "sdist-static",
    "sdist-requires",
    "sdist-bare",
)
BARE = {WHEEL_BARE, SDIST_STATIC, SDIST_REQUIRES, SDIST_BARE}


class License(NamedTuple):
    """The licence of a project in its metadata, and in the graph."""

    expression: str | None
    text: str | None
    classifiers: tuple[str, ...]
    facts: dict[str, str]


_LICENSES = (
    License(None, "MIT", (), {"license": "MIT", "license_spdx": "MIT"}),
    License(
        "mit or Apache-2.0",
        None,
        (),
        {"license": "mit or Apache-2.0", "license_spdx": "MIT OR Apache-2.0"},
    ),
    License(
        None,
        "UNKNOWN",
        ("License :: OSI Approved :: BSD License", "Topic :: Internet"),
        {"license": "BSD License"},
    ),
    License(None, None, (), {}),
)

_STATUS: dict[int, dict[str, str]] = {
    5: {"status": "archived", "reason": "Moved to\n another place."},
    11: {"status": "deprecated"},
}


def license_of(package: Package) -> License:
    """The licence of a project, the same in all releases."""
    return _LICENSES[package.index % len(_LICENSES)]


def status_of(package: Package) -> dict[str, str]:
    """The status of the project in the index."""
    return _STATUS.get(package.index % 17, {"status": "active"})


def pythons_of(package: Package, release: Release) -> str | None:
    """The Python versions that the release supports."""
    minor = (package.index + len(release.version)) % 5
    return f">=3.{6 + minor}" if minor else None


def facts(package: Package, release: Release) -> dict[str, Any]:
    """The properties of a version other than its name, date and requirements."""
    found: dict[str, Any] = {
        "requires_python": pythons_of(package, release),
        **license_of(package).facts,
    }
    status = status_of(package)
    if status["status"] != "active":
        reason = " ".join(status.get("reason", "").split())
        found["deprecated"] = f"{status['status']}: {reason}" if reason else status["status"]
    if release.form != SDIST_BARE and (table := _extras(release)):
        found["extra_requirements"] = table
    return {name: value for name, value in found.items() if value}


def edge(requirement: Requirement) -> dict[str, Any]:
    """The ``declared`` data of a requirement, if any."""
    told = DECLARED.get(requirement.form)
    lines = told.lines if told else [{}]
    texts = (requirement.text or "\n" * (len(lines) - 1)).split("\n")
    declared = [
        {**line, **({"text": text} if text else {})}
        for line, text in zip(lines, texts, strict=True)
    ]
    return {"declared": declared} if any(declared) else {}


def _extras(release: Release) -> dict[str, list[str]]:
    table: dict[str, list[str]] = {}
    for line in release.noise:
        if extra := line.form.strip():
            text = " ".join((line.name + line.wire).split())
            table.setdefault(extra, []).append(
                from_requires(text) if release.form == SDIST_REQUIRES else text
            )
    return {extra: list(dict.fromkeys(lines)) for extra, lines in table.items()}


def from_requires(line: str) -> str:
    """The line of an extra, restored from its section in ``requires.txt``."""
    requirement, _, marker = (part.strip() for part in line.partition(";"))
    *conditions, extra = marker.split(" and ")
    return f"{requirement}; " + " and ".join([*(f"({each})" for each in conditions), extra])
