"""Reads one OSV record: the document for readers, and the properties for this program.

The format: https://ossf.github.io/osv-schema/. Records are untrusted. A field with a wrong type is
omitted and becomes a problem of the record. A record without a valid id or without readable
``affected`` entries is an error, because it must not look like a record that affects nothing.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache
from hashlib import blake2b
from itertools import islice
from typing import Any

import bson
from bson.errors import BSONError

from ssc_ingest.ecosystems import ecosystems
from ssc_ingest.ecosystems.base import Ecosystem
from ssc_ingest.ecosystems.wire import load_json
from ssc_ingest.errors import MalformedMetadata
from ssc_ingest.vulnerabilities.advisory import INFORMATIONAL, Advisory, read_affected
from ssc_ingest.vulnerabilities.affected import VersionLine, evaluate
from ssc_ingest.vulnerabilities.severity import readable_severity, v3_score

MAX_RECORD_SIZE = 12 * 1024 * 1024
"""Maximum bytes of the JSON, and of the document in MongoDB, whose own limit is 16 MiB. Real
records have up to a few hundred KiB."""

FORMAT = 1
"""Part of every digest. With a new number, the next full sync writes every document again."""

MAX_PROBLEMS = 10
"""Maximum number of stored problems per record."""

MAX_NAME_LENGTH = 512
"""Characters of a package's name; no registry allows more."""

RECORD_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+:-]{0,199}")
CWE_ID = re.compile(r"CWE-[1-9]\d{0,5}")


class Kind(StrEnum):
    """The class of a record."""

    VULNERABILITY = "vulnerability"
    MALWARE = "malware"
    """The package itself is malicious."""
    NOTICE = "notice"
    """A warning other than a vulnerability, such as an unmaintained crate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One OSV record."""

    id: str
    document: Mapping[str, Any]
    """Its OSV fields for MongoDB, without ``cwes``."""
    cwes: tuple[str, ...]
    packages: tuple[str, ...]
    """Sorted keys (:func:`package_key`) of its packages."""
    elsewhere: int
    """Number of ``affected`` entries of other registries and distributions, which are not
    evaluated."""
    aliases: tuple[str, ...]
    kind: Kind
    withdrawn: bool
    score: float | None
    """Its CVSS 3 base score."""
    problems: tuple[str, ...]
    """Unreadable parts; the other parts of the record count."""
    digest: str
    """Digest of all fields above: equal for equal content."""

    @property
    def modified(self) -> str:
        """The time of its last change, from the record; may be empty."""
        return str(self.document.get("modified", ""))


def package_key(osv_ecosystem: str, name: str) -> str:
    """The key of a package, such as ``PyPI:jw-util``; equal for all spellings of one package."""
    return f"{osv_ecosystem}:{by_osv_name()[osv_ecosystem].advisory_name(name)}"


@cache
def by_osv_name() -> Mapping[str, type[Ecosystem]]:
    """The ecosystems by their exact name in OSV."""
    return {cls.identity.osv_name: cls for cls in ecosystems().values()}


def read_record(body: bytes, expected_id: str) -> Record:
    """Read a record.

    Args:
        body: JSON.
        expected_id: the id of the record in the source.

    Raises:
        MalformedMetadata: the body is not a record, or has another id.
    """
    if len(body) > MAX_RECORD_SIZE:
        raise MalformedMetadata(f"{expected_id}: larger than {MAX_RECORD_SIZE} bytes")
    value = load_json(body, document=expected_id)
    if not isinstance(value, dict) or value.get("id") != expected_id:
        raise MalformedMetadata(f"{expected_id}: not a record with this id")
    if not RECORD_ID.fullmatch(expected_id):
        raise MalformedMetadata(f"{expected_id!r:.80} cannot be an id")
    reader = _Reader()
    document = reader.document(value)
    try:
        size = len(bson.encode(document))
    except (BSONError, OverflowError, ValueError) as error:
        raise MalformedMetadata(f"{expected_id}: MongoDB cannot store it: {error}") from error
    if size > MAX_RECORD_SIZE:
        raise MalformedMetadata(f"{expected_id}: larger than {MAX_RECORD_SIZE} bytes")
    return _record(document, reader)


def _record(document: Mapping[str, Any], reader: "_Reader") -> Record:
    affected = document["affected"]
    named = [entry["package"] for entry in affected]
    ours = [package for package in named if package["ecosystem"] in by_osv_name()]
    problems = [*reader.problems, *islice(_unusable(affected), MAX_PROBLEMS)]
    aliases = tuple(dict.fromkeys(document.get("aliases", ())))
    cwes = _cwes(document)
    return Record(
        id=document["id"],
        document=document,
        cwes=cwes,
        packages=tuple(sorted({package_key(p["ecosystem"], p["name"]) for p in ours})),
        elsewhere=len(named) - len(ours),
        aliases=aliases,
        kind=_kind(document["id"], aliases, affected),
        withdrawn="withdrawn" in document,
        score=v3_score(document["severity"]),
        problems=tuple(problems[:MAX_PROBLEMS]),
        digest=_digest(document, cwes, problems),
    )


def _unusable(affected: list[dict[str, Any]]) -> Iterator[str]:
    """The ranges of our packages that cannot be evaluated, in words."""
    for entry in read_affected(affected):
        if (cls := by_osv_name().get(entry.ecosystem)) and entry.ranges:
            ranges = Advisory(id="", affected=(replace(entry, versions=()),), flaw="")
            for reason in evaluate(ranges, entry.name, VersionLine(cls, ())).unusable:
                yield f"{entry.name}: {reason}"


def _kind(record_id: str, aliases: Iterable[str], affected: Iterable[Mapping[str, Any]]) -> Kind:
    if any(each.startswith("MAL-") for each in (record_id, *aliases)):
        return Kind.MALWARE
    informational = [
        specific.get("informational")
        for entry in affected
        if isinstance(specific := entry.get("database_specific"), Mapping)
    ]
    if informational and all(
        isinstance(word, str) and word in INFORMATIONAL for word in informational
    ):
        return Kind.NOTICE
    return Kind.VULNERABILITY


def _cwes(document: Mapping[str, Any]) -> tuple[str, ...]:
    """The CWE ids of the record, of the form ``CWE-79``, each once."""
    ids = document.get("database_specific", {}).get("cwe_ids")
    found = ids if isinstance(ids, list) else []
    return tuple(
        dict.fromkeys(each for each in found if isinstance(each, str) and CWE_ID.fullmatch(each))
    )


def _digest(document: Mapping[str, Any], cwes: Iterable[str], problems: Iterable[str]) -> str:
    content = json.dumps([FORMAT, document, [*cwes], [*problems]], sort_keys=True)
    return blake2b(content.encode(), digest_size=16).hexdigest()


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)


def _objects(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, dict) for each in value)


def _is(kind: type) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, kind)


FIELDS: Mapping[str, Callable[[Any], bool]] = {
    "schema_version": _is(str),
    "id": _is(str),
    "modified": _is(str),
    "published": _is(str),
    "withdrawn": _is(str),
    "aliases": _texts,
    "upstream": _texts,
    "related": _texts,
    "summary": _is(str),
    "details": _is(str),
    "severity": _is(list),
    "affected": _objects,
    "references": _objects,
    "credits": _objects,
    "database_specific": _is(dict),
}
"""OSV's fields. Other fields of a record are ignored, so the fields of other writers are not
overwritten."""


class _Reader:
    """Reads one record and collects its problems."""

    def __init__(self) -> None:
        self.problems: list[str] = []

    def document(self, value: Mapping[str, Any]) -> dict[str, Any]:
        """OSV's fields in the form for readers.

        Raises:
            MalformedMetadata: ``affected`` is not a list of objects.
        """
        read: dict[str, Any] = {}
        for name, fits in FIELDS.items():
            field = value.get(name)
            if field is None:
                continue
            if fits(field):
                read[name] = field
            elif name in {"affected", "withdrawn"}:
                raise MalformedMetadata(f"{value['id']}: {name} has another type than in OSV")
            else:
                self.problems.append(f"{name} has another type than in OSV")
        if not read.get("withdrawn", "-"):
            del read["withdrawn"]
        affected = read.get("affected", [])
        # Some sources have only the severity of the package.
        severity = read.get("severity") or [
            each for entry in affected for each in _list(entry.get("severity"))
        ]
        read["severity"], problems = readable_severity(severity)
        self.problems += problems
        read["affected"] = [entry for each in affected if (entry := self._entry(each))]
        read["details"] = read.get("details") or read.get("summary") or ""
        return read

    def _entry(self, entry: Mapping[str, Any]) -> dict[str, Any] | None:
        """An entry of ``affected``; ``None`` for an entry without a package."""
        package = entry.get("package")
        if package is None:
            return None  # an entry with only a repository's commits
        names = (
            isinstance(package, dict)
            and isinstance(package.get("name"), str)
            and isinstance(package.get("ecosystem"), str)
        )
        if not names:
            self.problems.append("affected entry without the name of a package")
            return None
        if len(package["name"]) > MAX_NAME_LENGTH:
            self.problems.append(f"a name of {len(package['name'])} characters")
            return None
        readable = {**entry, "versions": [], "ranges": []}
        for version in _list(entry.get("versions"), self._complain("versions")):
            if isinstance(version, str):
                readable["versions"].append(version)
            else:
                self.problems.append(f"version that is not text: {version!r:.40}")
        for found in _list(entry.get("ranges"), self._complain("ranges")):
            if isinstance(found, dict) and _objects(found.get("events")):
                readable["ranges"].append(found)
            else:
                self.problems.append(f"range without events: {found!r:.80}")
        return readable

    def _complain(self, field: str) -> Callable[[], None]:
        return lambda: self.problems.append(f"affected.{field} is not a list")


def _list(value: Any, otherwise: Callable[[], None] = lambda: None) -> list[Any]:
    """The list; empty for ``null``. Every other value is a problem and gives an empty list."""
    if isinstance(value, list):
        return value
    if value is not None:
        otherwise()
    return []
