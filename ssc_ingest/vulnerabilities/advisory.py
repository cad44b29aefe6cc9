"""The parts of an OSV record for evaluation and scores.

https://ossf.github.io/osv-schema/#affected-fields. Documents are untrusted, and other services also
write to them. A value that violates the schema is stored as a problem of its range or entry; no
error is raised.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Document = Mapping[str, Any]

INTRODUCED, FIXED, LAST_AFFECTED, LIMIT = EVENTS = ("introduced", "fixed", "last_affected", "limit")

SEMVER = "SEMVER"
_GIT = "GIT"
_VERSIONED = {"ECOSYSTEM", SEMVER}

INFORMATIONAL = {"unmaintained", "unsound", "notice"}
"""RustSec's informational advisories: warnings, as in Cargo's own auditor, not vulnerabilities."""


@dataclass(frozen=True, slots=True)
class Event:
    """A bound of a range: one of :data:`EVENTS`, and its version."""

    kind: str
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """A range of versions; ranges of commits are omitted."""

    is_semver: bool
    events: tuple[Event, ...]
    problem: str | None = None
    """Why the range is unusable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Affected:
    """One entry of ``affected``: versions of a package."""

    ecosystem: str
    name: str
    versions: tuple[str, ...]
    ranges: tuple[Range, ...]
    is_notice: bool = False
    """Whether it is a warning instead of a vulnerability."""
    problem: str | None = None
    """An unreadable part other than a range."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Advisory:
    """A record in force."""

    id: str
    affected: tuple[Affected, ...]
    flaw: str
    """Equal for all records of one flaw (aliases); the record's id if it is the only one."""
    score: float | None = None
    """The highest CVSS 3 base score of the flaw's records; ``None`` without any."""
    is_malware: bool = False
    """Whether the package itself is malicious."""


def read_affected(entries: Any) -> tuple[Affected, ...]:
    """Read the field ``affected`` of a record."""
    return tuple(_affected(entry) for entry in _documents(entries))


def _affected(entry: Document) -> Affected:
    package = _document(entry.get("package"))
    versions = entry.get("versions")
    listed = tuple(_texts(versions))
    specific = _document(entry.get("database_specific"))
    is_whole = versions is None or (isinstance(versions, list) and len(listed) == len(versions))
    return Affected(
        ecosystem=_text(package.get("ecosystem")),
        name=_text(package.get("name")),
        versions=listed,
        ranges=tuple(
            _range(item)
            for item in _documents(entry.get("ranges"))
            if item.get("type") != _GIT  # a range of commits
        ),
        is_notice=_text(specific.get("informational")) in INFORMATIONAL,
        problem=None if is_whole else "versions that are not texts",
    )


def _range(item: Document) -> Range:
    events, problem = [], None
    for event in _documents(item.get("events")):
        for kind, version in event.items():
            if kind in EVENTS and isinstance(version, str):
                events.append(Event(kind, version))
            else:
                problem = f"the event {str(kind)[:40]!r} is not one of OSV's"
    if not any(event.kind == INTRODUCED for event in events):
        problem = problem or "it has no 'introduced'"
    kind = _text(item.get("type"))
    if kind not in _VERSIONED:
        problem = f"its type is {kind[:40]!r}"
    return Range(is_semver=kind == SEMVER, events=tuple(events), problem=problem)


def _document(value: Any) -> Document:
    return value if isinstance(value, Mapping) else {}


def _documents(value: Any) -> Iterator[Document]:
    return (item for item in value if isinstance(item, Mapping)) if _is_list(value) else iter(())


def _texts(value: Any) -> Iterator[str]:
    return (item for item in value if isinstance(item, str)) if _is_list(value) else iter(())


def _is_list(value: Any) -> bool:
    return isinstance(value, list | tuple)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
