"""One bad record is left out alone, of each kind in each ecosystem where it can occur.

A package has three releases that require ``leaf``. The record of the second is damaged. The others
are read as always; the second is left out, unknown or complete, but never known to require less.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from tests.unit.documents import read

VERSIONS = BEFORE, BAD, AFTER = "1.0.0", "2.0.0", "3.0.0"
DATE = "2024-03-01T10:00:00.000Z"

Documents = Mapping[str, bytes | int]

TYPES: dict[str, Any] = {"null": None, "number": 7, "text": "x", "list": [7], "object": {"a": 7}}
"""Values of wrong types for a record."""

DATES = ("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2020-02-30T00:00:00Z", "soon")
SURROGATE, DEEP = b'"\\ud83d"', b"[" * 5000 + b"]" * 5000


def text(document: Any) -> bytes:
    """A JSON document."""
    return json.dumps(document).encode()


def npm(**bad: Any) -> Documents:
    """``record``, ``date``, ``requirement``: the value in the second release."""
    versions: dict[str, Any] = {
        v: {"name": "pkg", "version": v, "dependencies": {"leaf": "^1.0.0"}} for v in VERSIONS
    }
    if "requirement" in bad:
        versions[BAD]["dependencies"]["other"] = bad["requirement"]
    if "record" in bad:
        versions[BAD] = bad["record"]
    times = dict.fromkeys(VERSIONS, DATE) | ({BAD: bad["date"]} if "date" in bad else {})
    document = {"name": "pkg", "dist-tags": {"latest": AFTER}, "versions": versions, "time": times}
    return {"/pkg": text(document)}


def pypi(**bad: Any) -> Documents:
    """The record is the file of the page; a requirement is a line of its metadata."""
    files: list[Any] = [
        {"filename": f"pkg-{v}-py3-none-any.whl", "url": f"https://x.example/{v}.whl",
         "hashes": {}, "upload-time": DATE, "core-metadata": True}
        for v in VERSIONS
    ]  # fmt: skip
    if "date" in bad:
        files[1]["upload-time"] = bad["date"]
    if "record" in bad:
        files[1] = bad["record"]
    metadata = dict.fromkeys(VERSIONS, b"Metadata-Version: 2.1\nName: pkg\nRequires-Dist: leaf\n\n")
    if "requirement" in bad:
        line = str(bad["requirement"]).encode()
        metadata[BAD] = metadata[BAD].rstrip() + b"\nRequires-Dist: " + line + b"\n\n"
    page = {"meta": {"api-version": "1.1"}, "name": "pkg", "versions": VERSIONS, "files": files}
    served: dict[str, bytes | int] = {f"/{v}.whl.metadata": metadata[v] for v in VERSIONS}
    if "status" in bad:
        served[f"/{BAD}.whl.metadata"] = bad["status"]
    return {"/simple/pkg/": text(page), **served}


def cargo(**bad: Any) -> Documents:
    """The record is a line."""
    lines: list[Any] = [
        {"name": "pkg", "vers": v, "cksum": "0" * 64, "features": {}, "yanked": False,
         "deps": [{"name": "leaf", "req": "^1", "features": [], "optional": False,
                   "default_features": True, "target": None, "kind": "normal"}]}
        for v in VERSIONS
    ]  # fmt: skip
    if "date" in bad:
        lines[1]["pubtime"] = bad["date"]
    if "requirement" in bad:
        lines[1]["deps"].append(bad["requirement"])
    if "requirements" in bad:
        lines[1]["deps"] = bad["requirements"]
    if "record" in bad:
        lines[1] = bad["record"]
    return {"/3/p/pkg": b"\n".join(map(text, lines)) + b"\n"}


def nuget(**bad: Any) -> Documents:
    """The record is a leaf of the registration."""
    entries: list[dict[str, Any]] = [
        {"@id": "x", "id": "Pkg", "version": v, "listed": True, "published": DATE,
         "dependencyGroups": [{"dependencies": [{"id": "leaf", "range": "[1.0.0, )"}]}]}
        for v in VERSIONS
    ]  # fmt: skip
    if "date" in bad:
        entries[1]["published"] = bad["date"]
    if "requirement" in bad:
        entries[1]["dependencyGroups"][0]["dependencies"].append(bad["requirement"])
    if "requirements" in bad:
        entries[1]["dependencyGroups"] = bad["requirements"]
    leaves: list[Any] = [{"@id": "l", "catalogEntry": entry} for entry in entries]
    if "record" in bad:
        leaves[1] = bad["record"]
    page = {"@id": "p", "count": 3, "lower": BEFORE, "upper": AFTER, "items": leaves}
    document = {"@id": "i", "commitTimeStamp": DATE, "count": 1, "items": [page]}
    return {"/v3/registration5-gz-semver2/pkg/index.json": text(document)}


def rubygems(**bad: Any) -> Documents:
    """The record is a line."""
    lines = [f"{v} leaf:>= 1|checksum:{'a' * 64},created_at:{DATE}" for v in VERSIONS]
    if "date" in bad:
        lines[1] = lines[1].replace(DATE, str(bad["date"]))
    if "requirement" in bad:
        lines[1] = lines[1].replace("|", f",{bad['requirement']}|")
    if "record" in bad:
        lines[1] = str(bad["record"])
    return {"/info/pkg": "\n".join(["---", *lines, ""]).encode()}


def maven(**bad: Any) -> Documents:
    """The record is the POM of the second version."""
    listed = "".join(f"<version>{v}</version>" for v in VERSIONS)
    served: dict[str, bytes | int] = {
        "/maven2/acme/pkg/maven-metadata.xml": (
            f"<metadata><versioning><versions>{listed}</versions></versioning></metadata>"
        ).encode()
    }
    for v in VERSIONS:
        more = str(bad["requirement"]) if v == BAD and "requirement" in bad else ""
        served[f"/maven2/acme/pkg/{v}/pkg-{v}.pom"] = (
            f"<project><groupId>acme</groupId><artifactId>pkg</artifactId><version>{v}</version>"
            "<dependencies><dependency><groupId>acme</groupId><artifactId>leaf</artifactId>"
            f"<version>1</version></dependency>{more}</dependencies></project>"
        ).encode()
    path = f"/maven2/acme/pkg/{BAD}/pkg-{BAD}.pom"
    if "record" in bad:
        served[path] = str(bad["record"]).encode()
    if "status" in bad:
        served[path] = bad["status"]
    return served


PACKAGES: dict[str, tuple[str, Callable[..., Documents]]] = {
    "npm": ("pkg", npm),
    "pypi": ("pkg", pypi),
    "cargo": ("pkg", cargo),
    "nuget": ("Pkg", nuget),
    "rubygems": ("pkg", rubygems),
    "maven": ("acme:pkg", maven),
}

JSON = ("npm", "pypi", "cargo", "nuget")


def named(*values: Any) -> dict[str, Any]:
    """Values by a part of their text."""
    return {str(value)[:30]: value for value in values}


KINDS: list[tuple[str, tuple[str, ...], Mapping[str, Any]]] = [
    ("record", JSON, TYPES),
    ("record", ("rubygems", "maven"), named("", "x", "<", "\0")),
    ("date", (*JSON, "rubygems"), named(*DATES)),
    ("date", JSON, TYPES),
    ("requirement", ("npm", "cargo", "nuget"), TYPES),
    ("requirement", ("pypi",), named("nonsense ((", "x; 'cli' in extras", "x" * 3000)),
    ("requirement", ("rubygems",), named("", "x", "x:nonsense", ":>= 1")),
    ("requirement", ("maven",), named("<dependency/>", "<dependency>x</dependency>", "<x:y/>")),
    # Null is none; npm itself reads a text of names there, and ignores others.
    ("requirements", ("cargo", "nuget"), {n: v for n, v in TYPES.items() if n != "null"}),
    ("status", ("pypi", "maven"), named(403, 404)),
]
"""Of damage: what is damaged, where that can occur, and the values by name."""

ALLOWED = {("npm", "record", "object")}
"""A release of npm without requirements."""

DAMAGES = [
    pytest.param(ecosystem, {part: value}, id=f"{ecosystem}-{part}-{name}")
    for part, where, values in KINDS
    for ecosystem in where
    for name, value in values.items()
    if (ecosystem, part, name) not in ALLOWED
]


@pytest.mark.parametrize(("ecosystem", "bad"), DAMAGES)
async def test_one_bad_record_costs_itself(ecosystem: str, bad: Mapping[str, Any]) -> None:
    """The other releases are complete; nothing is missing from one whose requirements are known."""
    name, documents = PACKAGES[ecosystem]
    package = await read(ecosystem, name, documents(**bad))
    found = {version.name: version for version in package.versions}
    assert {BEFORE, AFTER} <= found.keys() <= set(VERSIONS)
    for version in found.values():
        required = [r.package.name.rpartition(":")[2] for r in version.requirements or ()]
        if version.name != BAD or not version.requirements_unknown:
            assert "leaf" in required
            assert not version.requirements_unknown
    assert package.latest == AFTER


@pytest.mark.parametrize("unread", [SURROGATE, DEEP], ids=["surrogate", "deep"])
@pytest.mark.parametrize("ecosystem", JSON)
async def test_a_field_that_nobody_reads_costs_nothing(ecosystem: str, unread: bytes) -> None:
    """Halves of characters and deep nesting beside the fields that are read."""
    name, documents = PACKAGES[ecosystem]
    served = {
        path: body if isinstance(body, int) or path.endswith(".metadata")
        else b"\n".join(line[:-1] + b', "readme": ' + unread + b"}"
                        for line in body.splitlines())
        for path, body in documents().items()
    }  # fmt: skip
    package = await read(ecosystem, name, served)
    assert [version.name for version in package.versions] == [*VERSIONS]
    assert all(len(version.requirements or ()) == 1 for version in package.versions)
