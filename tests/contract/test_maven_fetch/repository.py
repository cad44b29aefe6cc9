"""A test repository that behaves like Maven Central."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field

from aiohttp import web

from ssc_ingest.models import Package

DATE = "Mon, 07 Jul 2025 10:11:12 GMT"


@dataclass
class Repository:
    """Documents by path, with a count of requests for each; others are not found."""

    documents: dict[str, bytes] = field(default_factory=dict)
    statuses: dict[str, int] = field(default_factory=dict)
    asked: Counter[str] = field(default_factory=Counter)
    sent: int = 0
    """Bytes of parts."""
    date: str = DATE
    at_once: int = 0
    most_at_once: int = 0

    def add(self, coordinates: str, body: str) -> None:
        """Put a POM at ``group:artifact:version``."""
        group, artifact, version = coordinates.split(":")
        self.documents[self.path(coordinates)] = (
            f'<project xmlns="http://maven.apache.org/POM/4.0.0"><artifactId>{artifact}</artifactId>'
            f"<groupId>{group}</groupId><version>{version}</version>{body}</project>"
        ).encode()

    def publish(self, name: str, *versions: str, body: str = "", **versioning: str) -> None:
        """List these versions of ``group:artifact``, each with this POM."""
        group, artifact = name.split(":")
        items = "".join(f"<version>{version}</version>" for version in versions)
        hints = "".join(f"<{key}>{value}</{key}>" for key, value in versioning.items())
        self.documents[self.list_path(name)] = (
            f"<metadata><groupId>{group}</groupId><artifactId>{artifact}</artifactId><versioning>"
            f"{hints}<versions>{items}</versions></versioning></metadata>"
        ).encode()
        for version in versions:
            self.add(f"{name}:{version}", body)

    @staticmethod
    def path(coordinates: str) -> str:
        """The path of the POM of ``group:artifact:version``."""
        group, artifact, version = coordinates.split(":")
        return f"{group.replace('.', '/')}/{artifact}/{version}/{artifact}-{version}.pom"

    @staticmethod
    def list_path(name: str) -> str:
        """The path of the list of versions of ``group:artifact``."""
        return f"{name.replace('.', '/').replace(':', '/')}/maven-metadata.xml"

    async def answer(self, request: web.Request) -> web.Response:
        """Respond like Maven Central, with validators and dates."""
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await asyncio.sleep(0)
            return self._answer(request)
        finally:
            self.at_once -= 1

    def _answer(self, request: web.Request) -> web.Response:
        path = request.match_info["path"]
        self.asked[path] += 1
        if path in self.statuses:
            return web.Response(status=self.statuses[path])
        if path not in self.documents:
            return web.Response(status=404, text="<html>404</html>", content_type="text/html")
        body = self.documents[path]
        etag = f'"{hash(body)}"'
        if request.headers.get("If-None-Match") == etag:
            return web.Response(status=304, headers={"ETag": etag})
        if "Range" in request.headers:
            start, stop, _ = request.http_range.indices(len(body))
            told = f"bytes {start}-{stop - 1}/{len(body)}"
            self.sent += stop - start
            headers = {"ETag": etag, "Content-Range": told}
            return web.Response(status=206, body=body[start:stop], headers=headers)
        html = body.startswith(b"<!doctype html")
        headers = {"ETag": etag, "Last-Modified": self.date}
        content_type = "text/html" if html else "text/xml"
        return web.Response(body=body, headers=headers, content_type=content_type)


def requirements(package: Package, version: str) -> dict[str, str] | None:
    """Constraint by package of one version."""
    found = next(v for v in package.versions if v.name == version).requirements
    return None if found is None else {r.package.registry_name: r.constraints for r in found}
