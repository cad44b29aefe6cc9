"""npm's documents of one package: the packuments and the manifests."""

import hashlib
from base64 import b64encode
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from tests.simulator import npm_archives
from tests.simulator import npm_manifest as manifest
from tests.simulator.ecosystem import Document, Shelf
from tests.simulator.npm_manifest import DEPRECATED
from tests.simulator.universe import Link, Package, Release

ABBREVIATED = "application/vnd.npm.install-v1+json"

INTEGRITY = "sha512-" + b64encode(hashlib.sha512(npm_archives.ARCHIVE).digest()).decode()
SHASUM = hashlib.sha1(npm_archives.ARCHIVE, usedforsecurity=False).hexdigest()

NOT_FOUND = Document(b'{"error":"Not found"}', status=404)


class Packument:
    """``/<name>``, abbreviated if the client prefers that."""

    def __init__(self, shelf: Shelf, name: str) -> None:
        self.shelf, self.name = shelf, name

    def __call__(self, headers: Mapping[str, str]) -> Document:
        """Answer a request with these headers."""
        package = self.shelf.find(self.name)
        if package is None:
            return NOT_FOUND
        page: Page = self.shelf.page(package)
        first = headers.get("Accept", "").split(",")[0].split(";")[0].strip()
        return page.abbreviated if first == ABBREVIATED else page.full


class Manifest:
    """``/<name>/<version>``."""

    def __init__(self, shelf: Shelf, name: str, version: str) -> None:
        self.shelf, self.name, self.version = shelf, name, version

    def __call__(self, _: Mapping[str, str]) -> Document:
        """Answer a request."""
        package = self.shelf.find(self.name)
        page: Page | None = self.shelf.page(package) if package else None
        fields = page.versions.get(self.version) if page else None
        return Document.json(fields) if fields else NOT_FOUND


class Page:
    """The documents of one package."""

    def __init__(self, package: Package, base_url: str) -> None:
        self.package = package
        self.base_url = base_url

    @cached_property
    def full(self) -> Document:
        """The full packument."""
        package, link = self.package, self.package.link
        moments = [r.released for r in (*package.releases, *package.decoys)]
        time: dict[str, Any] = {}
        if moments:
            time = {"created": _stamp(min(moments)), "modified": self._modified}
        # As on npm: in the order of publication, which is not that of versions.
        for release in sorted((*package.releases, *package.decoys), key=lambda r: r.released):
            time[release.version] = _stamp(release.released)
        document: dict[str, Any] = {
            "_id": package.name,
            "_rev": f"{len(package.releases) + package.edition}-{_digest(package.name)[:32]}",
            "name": package.name,
        }
        if package.releases:
            document |= {
                "dist-tags": tags(self.package),
                "versions": self.versions,
                "time": time,
                "maintainers": [{"name": "sim", "email": "sim@example.org"}],
                "description": "A simulated package",
                "readme": "# A simulated package",
                "readmeFilename": "README.md",
                "license": "MIT",
                "keywords": ["simulated"],
                "users": {},
                **_link(link),
            }
        else:
            unpublished = {"time": _stamp(datetime.fromisoformat("2020-01-01")), "versions": []}
            document["time"] = {"unpublished": unpublished}
        return Document.json(document, Cache_Control="public, max-age=300", Vary="Accept")

    @cached_property
    def abbreviated(self) -> Document:
        """The document for installing clients: no dates, no repository."""
        document = {
            "name": self.package.name,
            "dist-tags": tags(self.package),
            "versions": self._versions(full=False),
            "modified": self._modified,
        }
        answer = Document.json(document, Cache_Control="public, max-age=300", Vary="Accept")
        return Document(answer.body, ABBREVIATED, 200, answer.headers, answer.etag)

    @property
    def _modified(self) -> str:
        moments = [r.released for r in (*self.package.releases, *self.package.decoys)]
        last = max(moments, default=datetime.fromisoformat("2020-01-01"))
        return _stamp(last + timedelta(seconds=self.package.edition))

    @property
    def versions(self) -> dict[str, dict[str, Any]]:
        """The manifests by version."""
        return self._versions(full=True)

    def _versions(self, *, full: bool) -> dict[str, dict[str, Any]]:
        ordered = sorted(self.package.releases, key=lambda r: r.released)
        return {release.version: self._manifest(release, full=full) for release in ordered}

    def _manifest(self, release: Release, *, full: bool) -> dict[str, Any]:
        name = self.package.name
        bare = name.rpartition("/")[2]
        tarball = f"{name}/-/{bare}-{release.version}.tgz"
        fields: dict[str, Any] = {
            "name": name,
            "version": release.version,
            "dist": {
                "integrity": INTEGRITY,
                "shasum": SHASUM,
                "tarball": f"{self.base_url}/{tarball}",
                "fileCount": 4,
                "unpackedSize": 4096,
                "signatures": [],
            },
            **manifest.platforms(self.package, release),
        }
        for requirement in (*release.requirements, *release.noise):
            for section, key, wire in manifest.lines(requirement):
                fields.setdefault(section, {})[key] = wire
        if release.form == DEPRECATED:
            fields["deprecated"] = manifest.note(self.package, release).wire
        if full:
            fields |= {
                "_id": f"{name}@{release.version}",
                "_nodeVersion": "20.11.0",
                "_npmVersion": "10.2.4",
                "_npmUser": {"name": "sim", "email": "sim@example.org"},
                "description": "A simulated package",
                "main": "index.js",
                **manifest.license_of(self.package, release).wire,
                "scripts": {"test": "node test.js"},
                "maintainers": [{"name": "sim", "email": "sim@example.org"}],
                **_link(self.package.link),
            }
        return fields


def tags(package: Package) -> dict[str, str]:
    """The version of each tag."""
    found = {}
    if package.latest:
        found["latest"] = package.latest.version
        if not package.releases[-1].stable:
            found["next"] = package.releases[-1].version
    return found


def _link(link: Link) -> dict[str, Any]:
    """The field with the link in the packument and in each manifest."""
    match link.field:
        case "repository.url":
            return {"repository": {"type": "git", "url": link.wire}}
        case "bugs":
            return {"bugs": {"url": link.wire}}
        case "":
            return {}
    return {link.field: link.wire}


def _stamp(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds")[:23] + "Z"


def _digest(text: str) -> str:
    return hashlib.sha512(text.encode()).hexdigest()
