"""NuGet.org's documents: registrations in pages, and nuspecs."""

import codecs
import io
import re
import zipfile
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from functools import cached_property
from typing import Any
from urllib.parse import quote
from uuid import NAMESPACE_URL, uuid5
from xml.sax.saxutils import quoteattr
from zlib import crc32

from tests.assemblies import PUBLIC, assembly
from tests.simulator.ecosystem import Document
from tests.simulator.nuget import facts
from tests.simulator.nuget.catalog import stamp
from tests.simulator.nuget.facts import FRAMEWORKS, ONE_FRAMEWORK
from tests.simulator.universe import Package, Release

AS_IT_IS, SHORT, FOUR_PARTS, LEADING_ZERO, BUILD = (
    "plain", "short", "four-parts", "leading-zero", "build",
)  # fmt: skip
"""Ways to spell a release's version; the graph has the normalised one."""

INLINED = 127
"""Versions that fit into the index itself."""
PER_PAGE = 64

AUTHOR = "Sim Author"
ANONYMOUS = "anonymous"

XML = "application/xml"
NOT_FOUND = Document(
    codecs.BOM_UTF8 + b'<?xml version="1.0" encoding="utf-8"?><Error><Code>BlobNotFound</Code>'
    b"<Message>The specified blob does not exist.\nRequestId:618b3065-901e-003f-1298-bd7554000000\n"
    b"Time:2026-03-27T03:19:20.4081868Z</Message></Error>",
    XML,
    status=404,
)

REGISTRATION, CONTENT = "v3/registration5-gz-semver2", "v3-flatcontainer"


class Page:
    """The documents of one package."""

    def __init__(self, package: Package, base_url: str) -> None:
        self.package = package
        self.base_url = base_url
        self.lower = package.name.lower()
        self.registration = f"{base_url}/{REGISTRATION}/{self.lower}"

    @cached_property
    def index(self) -> Document:
        """All versions, or the addresses of their pages."""
        return _gzipped(
            {
                "@id": f"{self.registration}/index.json",
                "@type": ["catalog:CatalogRoot", "PackageRegistration", "catalog:Permalink"],
                "commitId": _commit(self.package.name, str(self.package.edition)),
                "commitTimeStamp": stamp(self.package.sequence).replace("Z", "+00:00"),
                "count": len(self._chunks),
                "items": [self._page(chunk, inlined=self._inlined) for chunk in self._chunks],
                "@context": CONTEXT,
            }
        )

    @cached_property
    def pages(self) -> dict[str, Document]:
        """The pages by ``<lowest>/<highest>``, of packages with many versions."""
        if self._inlined:
            return {}
        return {
            f"{chunk[0].version}/{chunk[-1].version}".lower(): _gzipped(
                {**self._page(chunk, inlined=True), "@context": CONTEXT}
            )
            for chunk in self._chunks
        }

    def nuspec(self, version: str) -> Document:
        """The manifest of one version, by its lower-case normalised name."""
        release = next((r for r in self.package.releases if r.version.lower() == version), None)
        if release is None:
            return NOT_FOUND
        package, link = self.package, self.package.link
        choice = crc32(version.encode())
        schema = ("2013/05/nuspec.xsd", "2010/07/nuspec.xsd", "2012/06/nuspec.xsd", "")[choice % 4]
        namespace = f' xmlns="http://schemas.microsoft.com/packaging/{schema}"' if schema else ""
        lines = [
            '<?xml version="1.0" encoding="utf-8"?>',
            f"<package{namespace}>",
            '  <metadata minClientVersion="2.12">',
            f"    <id>{package.name}</id>",
            f"    <version>{wire_version(release)}</version>",
            f"    <authors>{AUTHOR}</authors>",
            "    <description>Simuliert &amp; geprüft</description>",
        ]
        if link.field == "repository":
            # A package may move house: only what the latest version says is true.
            url = link.wire if release is package.latest else "https://github.com/before/it-moved"
            lines.append(
                f'    <repository type="git" url={quoteattr(url)} commit="{choice:040x}" />'
            )
        lines += ["  </metadata>", "</package>"]
        body = "\r\n".join(lines).encode()
        return Document.tagged(codecs.BOM_UTF8 * (choice % 3 > 0) + body, XML)

    def content(self, version: str) -> Document:
        """The package of one version: one assembly with one public type."""
        if all(release.version.lower() != version for release in self.package.releases):
            return NOT_FOUND
        library = assembly([(PUBLIC, namespace(self.package), "Api")])
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            path = zipfile.ZipInfo(f"lib/net8.0/{self.package.name}.dll")
            archive.writestr(path, library, zipfile.ZIP_DEFLATED)
        return Document.tagged(buffer.getvalue(), "application/octet-stream")

    @cached_property
    def _chunks(self) -> Sequence[Sequence[Release]]:
        releases = self.package.releases
        size = len(releases) if self._inlined else PER_PAGE
        return [releases[start : start + size] for start in range(0, len(releases), size)]

    @property
    def _inlined(self) -> bool:
        return len(self.package.releases) <= INLINED

    def _page(self, releases: Sequence[Release], *, inlined: bool) -> dict[str, Any]:
        lower, upper = releases[0].version, releases[-1].version
        name = f"page/{quote(lower)}/{quote(upper)}".lower()
        page: dict[str, Any] = {
            "@id": f"{self.registration}/{name}.json",
            "@type": "catalog:CatalogPage",
            "commitId": _commit(self.package.name, lower),
            "commitTimeStamp": _moment(max(r.released for r in releases)),
            "count": len(releases),
            "parent": f"{self.registration}/index.json",
            "lower": lower,
            "upper": upper,
        }
        if inlined:
            page["items"] = [self._leaf(release) for release in releases]
        if self._inlined:
            page["@id"] = f"{self.registration}/index.json#{name}"
        return page

    def _leaf(self, release: Release) -> dict[str, Any]:
        package, link, lower = self.package, self.package.link, release.version.lower()
        content = f"{self.base_url}/{CONTENT}/{self.lower}/{lower}/{self.lower}.{lower}.nupkg"
        stamp = f"{release.released:%Y.%m.%d.%H.%M.%S}"
        catalog = f"https://api.nuget.org/v3/catalog0/data/{stamp}/{self.lower}.{lower}.json"
        entry: dict[str, Any] = {
            "@id": catalog,
            "@type": "PackageDetails",
            "authors": "" if link.field == ANONYMOUS else f"{AUTHOR}, Second Author",
            "dependencyGroups": self._groups(release, catalog),
            "description": "A simulated package",
            "iconUrl": "",
            "id": package.name,
            "language": "",
            **facts.license_fields(
                release, f"https://www.nuget.org/packages/{package.name}/{lower}/license"
            ),
            "listed": not release.yanked,
            "minClientVersion": "2.12",
            "packageContent": content,
            "projectUrl": link.wire if link.field == "projectUrl" else "",
            "published": (
                "1900-01-01T00:00:00+00:00" if release.yanked else _moment(release.released)
            ),
            "requireLicenseAcceptance": False,
            "summary": "",
            "tags": ["simulated"],
            "title": "",
            "version": wire_version(release),
        }
        if deprecation := facts.deprecation(release):
            about = {"@id": f"{catalog}#deprecation", "@type": "deprecation"}
            entry["deprecation"] = about | deprecation
        return {
            "@id": f"{self.registration}/{lower}.json",
            "@type": "Package",
            "commitId": _commit(package.name, lower),
            "commitTimeStamp": _moment(release.released),
            "catalogEntry": entry,
            "packageContent": content,
            "registration": f"{self.registration}/index.json",
        }

    def _groups(self, release: Release, catalog: str) -> list[dict[str, Any]]:
        ranges = {r: r.wire.split("\n") for r in release.requirements}
        single = facts.has_one_group(release)
        groups = []
        for position, framework in enumerate((None,) if single else FRAMEWORKS):
            group: dict[str, Any] = {
                "@id": f"{catalog}#dependencygroup" + f"/{framework}".lower() * (not single),
                "@type": "PackageDependencyGroup",
            }
            if framework:
                group["targetFramework"] = framework
            dependencies = []
            for requirement, written in ranges.items():
                if requirement.form == ONE_FRAMEWORK and framework not in {None, FRAMEWORKS[-1]}:
                    continue
                text = written[position % len(written)]
                dependency = {
                    "@id": f"{group['@id']}/{requirement.name.lower()}",
                    "@type": "PackageDependency",
                    "id": requirement.name,
                    "registration": f"{self.base_url}/{REGISTRATION}/{requirement.name.lower()}"
                    "/index.json",
                }
                dependencies.append(dependency | ({"range": text} if text else {}))
            if dependencies:
                group["dependencies"] = dependencies
            groups.append(group)
        return groups


def namespace(package: Package) -> str:
    """The namespace in the assembly of all versions."""
    return re.sub(r"[^A-Za-z0-9_.]", "_", package.name)


def wire_version(release: Release) -> str:
    """A release's version in its author's spelling."""
    version = release.version
    numbers, dash, label = version.partition("-")
    parts = numbers.split(".")
    match release.form:
        case "short" if len(parts) == 3 and parts[2] == "0":
            parts.pop()
        case "four-parts" if len(parts) == 3:
            parts.append("0")
        case "leading-zero":
            parts[1] = f"0{parts[1]}"
        case "build":
            label += "+sha.0a1b2c3"
    return ".".join(parts) + dash + label


CONTEXT = {
    "@vocab": "http://schema.nuget.org/schema#",
    "catalog": "http://schema.nuget.org/catalog#",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
    "items": {"@id": "catalog:item", "@container": "@set"},
    "commitTimeStamp": {"@id": "catalog:commitTimeStamp", "@type": "xsd:dateTime"},
    "commitId": {"@id": "catalog:commitId"},
    "count": {"@id": "catalog:count"},
    "parent": {"@id": "catalog:parent", "@type": "@id"},
    "tags": {"@id": "tag", "@container": "@set"},
    "dependencyGroups": {"@id": "dependencyGroup", "@container": "@set"},
    "dependencies": {"@id": "dependency", "@container": "@set"},
    "packageContent": {"@type": "@id"},
    "published": {"@type": "xsd:dateTime"},
    "registration": {"@type": "@id"},
}


def _gzipped(value: Any) -> Document:
    return replace(Document.json(value), gzipped=True)


def _moment(moment: datetime) -> str:
    """Fractions without trailing zeros, in .NET's format."""
    text = moment.isoformat(timespec="milliseconds")
    return re.sub(r"\.?0*(?=\+)", "", text)


def _commit(*parts: str) -> str:
    return str(uuid5(NAMESPACE_URL, "/".join(parts)))
