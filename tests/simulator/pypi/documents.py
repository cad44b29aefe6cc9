"""PyPI's documents: project pages, the JSON API, and core metadata."""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cached_property
from html import escape
from itertools import islice
from typing import Any, NamedTuple
from zlib import crc32

import orjson

from tests.simulator.ecosystem import Document, Shelf
from tests.simulator.pypi import archives
from tests.simulator.pypi.facts import (
    BARE,
    OLD_KEY,
    SDIST,
    SDIST_BARE,
    SDIST_REQUIRES,
    SDIST_STATIC,
    WHEEL,
    WHEEL_BARE,
    WHEELS,
    license_of,
    pythons_of,
    status_of,
)
from tests.simulator.universe import Package, Release

SIMPLE_JSON = "application/vnd.pypi.simple.v1+json"
SIMPLE_HTML = "application/vnd.pypi.simple.v1+html"
TEXT_HTML = "text/html"

LABELS = ("Source", "Repository", "Code", "Homepage")


class File(NamedTuple):
    """One distribution file of a release."""

    name: str
    url: str
    size: int
    upload_time: str
    yanked: bool | str
    metadata: bytes | None
    kind: str
    sha256: str
    requires_python: str | None
    content: bytes | None
    """Of archives that somebody has to look into."""


class Page:
    """The documents of one project.

    Files announce the digests of their metadata, so the metadata is generated with the page.
    """

    def __init__(self, package: Package, normalized: str, base_url: str) -> None:
        self.package = package
        self.base_url = base_url
        self.normalized = normalized
        self.escaped = normalized.replace("-", "_")
        self.serial = package.sequence

    @cached_property
    def files(self) -> dict[str, list[File]]:
        """By version."""
        return {release.version: self._files(release) for release in self.package.releases}

    @cached_property
    def metadata(self) -> dict[str, Document]:
        """By file name."""
        return {
            f"{file.name}.metadata": _immutable(file.metadata)
            for files in self.files.values()
            for file in files
            if file.metadata is not None
        }

    @cached_property
    def archives(self) -> dict[str, Document]:
        """By file name, those that somebody has to look into."""
        return {
            file.name: _immutable(file.content)
            for files in self.files.values()
            for file in files
            if file.content is not None
        }

    @cached_property
    def simple_json(self) -> Document:
        """PEP 691 and 700."""
        files = []
        for file in sorted(
            (f for files in self.files.values() for f in files), key=lambda f: f.name
        ):
            entry: dict[str, Any] = {
                "filename": file.name,
                "hashes": {"sha256": file.sha256},
                "provenance": None,
                "requires-python": file.requires_python,
                "size": file.size,
                "upload-time": file.upload_time,
                "url": file.url,
                "yanked": file.yanked,
            }
            announced: Any = False
            if file.metadata is not None:
                announced = {"sha256": hashlib.sha256(file.metadata).hexdigest()}
            entry["data-dist-info-metadata"] = announced
            if file.kind != OLD_KEY:
                entry["core-metadata"] = announced
            files.append(entry)
        body = orjson.dumps(
            {
                "alternate-locations": [],
                "files": files,
                "meta": {"_last-serial": self.serial, "api-version": "1.4"},
                "name": self.normalized,
                "project-status": status_of(self.package),
                "versions": sorted(self.files),
            }
        )
        return Document.tagged(body, SIMPLE_JSON, **self._headers)

    def simple_html(self, media_type: str) -> Document:
        """PEP 503."""
        lines = [
            "<!DOCTYPE html>\n<html>\n  <head>",
            '    <meta name="pypi:repository-version" content="1.4">',
            f"    <title>Links for {self.normalized}</title>\n  </head>\n  <body>",
            f"    <h1>Links for {self.normalized}</h1>",
        ]
        for files in self.files.values():
            for file in files:
                attributes = ""
                if file.requires_python:
                    attributes = f' data-requires-python="{escape(file.requires_python)}"'
                if file.yanked:
                    reason = file.yanked if isinstance(file.yanked, str) else ""
                    attributes += f' data-yanked="{escape(reason)}"'
                if file.metadata is not None:
                    digest = hashlib.sha256(file.metadata).hexdigest()
                    attributes += f' data-dist-info-metadata="sha256={digest}"'
                    attributes += f' data-core-metadata="sha256={digest}"'
                href = f"{file.url}#sha256={file.sha256}"
                lines.append(f'    <a href="{href}"{attributes}>{file.name}</a><br />')
        lines.append(f"  </body>\n</html>\n<!--SERIAL {self.serial}-->")
        body = "\n".join(lines).encode()
        return Document.tagged(body, f"{media_type}; charset=UTF-8", **self._headers)

    def project(self, release: Release, *, whole: bool = True) -> Document:
        """The JSON API's document about the project at one release."""
        metadata_known = release.form not in BARE
        terms = license_of(self.package)
        link = self.package.link
        urls = {link.field: link.wire} if link.field in LABELS else {}
        info = {
            "author": "Sim Author",
            "author_email": "",
            "bugtrack_url": None,
            "classifiers": list(terms.classifiers),
            "description": "A simulated project.",
            "description_content_type": None,
            "docs_url": None,
            "download_url": None,
            "downloads": {"last_day": -1, "last_month": -1, "last_week": -1},
            "dynamic": None,
            "home_page": link.wire if link.field == "home_page" else "",
            "keywords": None,
            "license": terms.text,
            "license_expression": terms.expression,
            "license_files": None,
            "maintainer": None,
            "maintainer_email": None,
            "name": self.package.name,
            "package_url": f"https://pypi.org/project/{self.normalized}/",
            "platform": None,
            "project_url": f"https://pypi.org/project/{self.normalized}/",
            "project_urls": urls or None,
            "provides_extra": None,
            "release_url": f"https://pypi.org/project/{self.normalized}/{release.version}/",
            "requires_dist": (_lines(release) or None) if metadata_known else None,
            "requires_python": pythons_of(self.package, release),
            "summary": "A simulated project",
            "version": release.version,
            "yanked": release.yanked,
            "yanked_reason": "broken" if release.yanked else None,
        }
        document: dict[str, Any] = {"info": info, "last_serial": self.serial}
        if whole:
            document["releases"] = {
                version: [self._file_json(f) for f in files]
                for version, files in self.files.items()
            }
        document["urls"] = [self._file_json(f) for f in self.files[release.version]]
        document["vulnerabilities"] = []
        document["ownership"] = {"organization": None, "roles": []}
        return Document.json(document, **self._headers)

    @property
    def _headers(self) -> dict[str, str]:
        return {
            "X_PyPI_Last_Serial": str(self.serial),
            "Cache_Control": "max-age=600, public",
            "Vary": "Accept, Accept-Encoding",
        }

    def _files(self, release: Release) -> list[File]:
        form, version = release.form, release.version
        wheel_version = version.replace("-", "_")
        names = {
            WHEEL: [(f"{wheel_version}-py3-none-any.whl", True), (f"{version}.tar.gz", False)],
            WHEELS: [
                (f"{wheel_version}-cp311-cp311-manylinux_2_17_x86_64.whl", True),
                (f"{wheel_version}-cp311-cp311-win_amd64.whl", True),
                (f"{version}.tar.gz", False),
            ],
            OLD_KEY: [(f"{wheel_version}-py2.py3-none-any.whl", True)],
            SDIST: [(f"{version}.tar.gz", False)],
            WHEEL_BARE: [(f"{wheel_version}-py3-none-any.whl", False)],
            SDIST_STATIC: [(f"{version}.tar.gz", False)],
            SDIST_REQUIRES: [(f"{version}.tar.gz", False)],
            SDIST_BARE: [(f"{version}.tar.gz", False)],
        }[form]
        metadata = self._core_metadata(release) if names[0][1] or form in BARE else None
        reason: bool | str = False
        if release.yanked:
            reason = "broken" if len(version) % 2 else True
        files = []
        for position, (ending, has_metadata) in enumerate(names):
            name = f"{self.escaped}-{ending}"
            content = None
            if metadata is not None and position == 0 and has_archive(self.package, release):
                content = self._archive(release, metadata)
            digest = hashlib.sha256(content or name.encode()).hexdigest()
            # The first file is the first that was uploaded, wherever its name is in the list.
            uploaded = release.released + timedelta(seconds=position * 7)
            location = f"packages/{digest[:2]}/{digest[2:4]}/{digest[4:]}/{name}"
            files.append(
                File(
                    name=name,
                    url=f"{self.base_url}/files/{location}",
                    size=len(content) if content else 1000 + crc32(name.encode()) % 1_000_000,
                    upload_time=uploaded.isoformat(timespec="microseconds")[:26] + "Z",
                    yanked=reason,
                    metadata=metadata if has_metadata else None,
                    kind=form,
                    sha256=digest,
                    requires_python=pythons_of(self.package, release),
                    content=content,
                )
            )
        if form == WHEELS:
            # Files may differ: the first is the one that counts.
            files[1] = files[1]._replace(requires_python=">=3.5")
        if not release.yanked and form == WHEELS:
            # One file withdrawn does not make the version withdrawn.
            files[1] = files[1]._replace(yanked="wrong tag")
        return files

    def _archive(self, release: Release, metadata: bytes) -> bytes:
        version = release.version.replace("-", "_")
        if release.form in {WHEEL, WHEELS, OLD_KEY}:
            return archives.wheel(self.escaped, version, metadata, padding=0)
        if release.form == WHEEL_BARE:
            return archives.wheel(self.escaped, version, metadata)
        return archives.sdist(self.escaped, version, release.form, metadata, _lines(release))

    def _core_metadata(self, release: Release) -> bytes:
        link, terms = self.package.link, license_of(self.package)
        lines = [
            "Metadata-Version: 2.4" if terms.expression else "Metadata-Version: 2.1",
            f"Name: {self.package.name}",
            f"Version: {release.version}",
            "Summary: A simulated project",
        ]
        if link.field == "home_page":
            lines.append(f"Home-page: {link.wire}")
        lines.append("Project-URL: Documentation, https://docs.example.org")
        if link.field in LABELS:
            lines.append(f"Project-URL: {link.field}, {link.wire}")
        lines.append("Author: Sim Author")
        lines += [f"License-Expression: {terms.expression}"] if terms.expression else []
        lines += [f"License: {terms.text}"] if terms.text else []
        lines += [f"Classifier: {classifier}" for classifier in terms.classifiers]
        if pythons := pythons_of(self.package, release):
            lines.append(f"Requires-Python: {pythons}")
        lines += [f"Requires-Dist: {line}" for line in _lines(release)]
        lines += [
            f"Provides-Extra: {extra}" for extra in ("cli", "dev", "docs", "speedups", "test")
        ]
        return ("\n".join(lines) + "\n\nA simulated project.\n").encode()

    def _file_json(self, file: File) -> dict[str, Any]:
        wheel = file.name.endswith(".whl")
        return {
            "comment_text": None,
            "digests": {"blake2b_256": file.sha256, "md5": file.sha256[:32], "sha256": file.sha256},
            "downloads": -1,
            "filename": file.name,
            "has_sig": False,
            "md5_digest": file.sha256[:32],
            "packagetype": "bdist_wheel" if wheel else "sdist",
            "python_version": "py3" if wheel else "source",
            "requires_python": file.requires_python,
            "size": file.size,
            "upload_time": file.upload_time[:19],
            "upload_time_iso_8601": file.upload_time,
            "url": file.url,
            "yanked": bool(file.yanked),
            "yanked_reason": file.yanked if isinstance(file.yanked, str) else None,
        }


def has_archive(package: Package, release: Release) -> bool:
    """Whether the first file of a release is served: for its metadata, or for its names."""
    wheels = {WHEEL, WHEELS, OLD_KEY}
    return release.form in BARE or (release is package.latest and release.form in wheels)


def _immutable(content: bytes) -> Document:
    document = Document.tagged(
        content, "binary/octet-stream", Cache_Control="max-age=365000000, immutable"
    )
    return replace(document, ranges=True)


def _lines(release: Release) -> list[str]:
    """The values of Requires-Dist."""
    return [
        r.name + tail for r in release.requirements + release.noise for tail in r.wire.split("\n")
    ]


def project_list(shelf: Shelf, media_type: str) -> Document:
    """The list of all projects, in JSON or HTML, generated while it is sent.

    As PEP 691 allows, it is in no particular order.
    """
    history = shelf.history
    serial = history.end
    headers = {
        "X_PyPI_Last_Serial": str(serial),
        "Cache_Control": "max-age=600, public",
        "Vary": "Accept, Accept-Encoding",
    }
    if media_type == SIMPLE_JSON:
        meta = f'{{"meta":{{"_last-serial":{serial},"api-version":"1.4"}},"projects":['
        parts = _Parts(shelf, meta, '{{"_last-serial":{},"name":"{}"}}', ",", "]}")
    else:
        head = "<!DOCTYPE html>\n<html>\n  <head>\n    <title>Simple index</title>\n  </head>\n"
        line = '    <!--{0}--><a href="/simple/{1}/">{1}</a>'
        parts = _Parts(shelf, f"{head}  <body>\n", line, "\n", "\n  </body>\n</html>\n")
    state = f"{media_type} {history.state} {shelf.options}"
    return Document.streamed(parts, state, media_type, **headers)


@dataclass(frozen=True)
class _Parts:
    """The text of a list: a head, a line per project, separators, and a tail."""

    shelf: Shelf
    head: str
    line: str
    between: str
    tail: str

    def __call__(self) -> Iterator[bytes]:
        """The list, a thousand projects at a time."""
        listed = self.shelf.listed(self.shelf.history.feed)
        yield self.head.encode()
        first = True
        while batch := [self.line.format(p.sequence, p.name) for p in islice(listed, 1000)]:
            yield ("" if first else self.between).encode() + self.between.join(batch).encode()
            first = False
        yield self.tail.encode()


def negotiate(accept: str | None) -> str:
    """The media type of PyPI's response: HTML if no offered type is requested."""
    if accept == SIMPLE_JSON:
        return SIMPLE_JSON
    wanted: dict[str, float] = {}
    for part in (accept or "").split(","):
        media_type, *parameters = [piece.strip() for piece in part.split(";")]
        quality = next((p[2:] for p in parameters if p.startswith("q=")), "1")
        wanted[media_type] = float(quality) if re.fullmatch(r"[\d.]+", quality) else 0.0
    offers = (TEXT_HTML, SIMPLE_HTML, SIMPLE_JSON)
    best = max(offers, key=lambda offer: wanted.get(offer, 0.0))
    return best if wanted.get(best) else TEXT_HTML
