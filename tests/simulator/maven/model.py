"""POMs as text: elements in Maven's order, in the encodings that the repository has.

https://maven.apache.org/pom.html
"""

import codecs
from collections.abc import Iterable, Iterator
from datetime import datetime
from email.utils import format_datetime
from typing import NamedTuple
from xml.sax.saxutils import escape
from zlib import crc32

from tests.simulator.ecosystem import Document

POM_TYPE = "text/xml"


class Coordinates(NamedTuple):
    """A document of the repository."""

    group: str
    artifact: str
    version: str


class Model:
    """A POM while it is put together."""

    def __init__(self, coordinates: Coordinates, packaging: str = "jar") -> None:
        self.coordinates = coordinates
        self.packaging = packaging
        self.parent: Coordinates | None = None
        self.relocation: tuple[str, str, str] | None = None
        self.licenses: tuple[str, ...] = ()
        self.about: list[str] = []
        self.properties: dict[str, str] = {}
        self.managed: list[str] = []
        self.dependencies: list[str] = []
        self.active: list[str] = []
        self.inactive: list[str] = []
        self.plugin: list[str] = []

    def text(self) -> str:
        """The XML, without declaration."""
        choice = crc32("/".join(self.coordinates).encode())
        opening = (
            '<project xmlns="http://maven.apache.org/POM/4.0.0"'
            ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:schemaLocation='
            '"http://maven.apache.org/POM/4.0.0 http://maven.apache.org/xsd/maven-4.0.0.xsd">'
        )
        parts = [
            opening if choice % 5 else "<project>",
            "<!-- <version>0.0.0</version> -->",
            element("modelVersion", "4.0.0"),
            *self._parent(),
            *self._coordinates(),
            element("packaging", self.packaging) if self.packaging != "jar" else "",
            element("name", "Größe ${project.artifactId}"),
            *block("licenses", self._licenses()),
            *self.about,
            *self._relocation(),
            *block("properties", (element(k, v) for k, v in self.properties.items())),
            *block("dependencyManagement", block("dependencies", self.managed)),
            *block("dependencies", self.dependencies),
            *block("build", block("plugins", self._plugin())),
            *block("profiles", self._profiles()),
            "</project>",
        ]
        return "\n".join(filter(None, parts)) + "\n"

    def _parent(self) -> Iterable[str]:
        if self.parent is None:
            return ()
        return block("parent", (*place(self.parent), "<relativePath/>"))

    def _coordinates(self) -> Iterator[str]:
        group, artifact, version = self.coordinates
        # What a parent says need not be said again.
        if self.parent is None or self.parent.group != group:
            yield element("groupId", group)
        yield element("artifactId", artifact)
        if "revision" in self.properties:
            yield element("version", "${revision}")
        elif self.parent is None or self.parent.version != version:
            yield element("version", version)

    def _relocation(self) -> Iterable[str]:
        if self.relocation is None:
            return ()
        group, artifact, message = self.relocation
        place = [element("groupId", group), element("artifactId", artifact)]
        place += [element("message", message)] if message else []
        return block("distributionManagement", block("relocation", place))

    def _licenses(self) -> Iterator[str]:
        for name in self.licenses:
            yield from block("license", (element("name", name), element("distribution", "repo")))

    def _plugin(self) -> Iterable[str]:
        if not self.plugin:
            return ()
        about = element("artifactId", "maven-surefire-plugin")
        return block("plugin", (about, *block("dependencies", self.plugin)))

    def _profiles(self) -> Iterator[str]:
        for name, active, dependencies in (
            ("usual", "true", self.active),
            ("unusual", "false", self.inactive),
        ):
            if dependencies:
                activation = block("activation", (element("activeByDefault", active),))
                inside = (element("id", name), *activation, *block("dependencies", dependencies))
                yield from block("profile", inside)


def dependency(name: str, version: str = "", *more: str) -> str:
    """A ``<dependency>`` on ``group:artifact``."""
    group, _, artifact = name.partition(":")
    parts = (element("groupId", group), element("artifactId", artifact))
    return "\n".join(
        block("dependency", (*parts, element("version", version) if version else "", *more))
    )


def import_of(bom: Coordinates) -> str:
    """The ``<dependency>`` that imports a bill of materials."""
    more = ("<type>pom</type>", "<scope>import</scope>")
    return dependency(f"{bom.group}:{bom.artifact}", bom.version, *more)


def place(coordinates: Coordinates) -> Iterator[str]:
    """The three elements of some coordinates."""
    for tag, value in zip(("groupId", "artifactId", "version"), coordinates, strict=True):
        yield element(tag, value)


def element(tag: str, value: str) -> str:
    """An element with a text."""
    return f"<{tag}>{escape(value)}</{tag}>"


def block(tag: str, lines: Iterable[str]) -> Iterable[str]:
    """An element around others; nothing where there are none."""
    inside = [f"  {line}" for line in lines if line]
    return (f"<{tag}>", *inside, f"</{tag}>") if inside else ()


def document(model: Model, modified: datetime) -> Document:
    """In one of the encodings that the repository's POMs have."""
    text = model.text()
    match crc32("/".join(model.coordinates[::-1]).encode()) % 8:
        case 0:
            body = f'<?xml version="1.0" encoding="ISO-8859-1"?>\n{text}'.encode("latin-1")
        case 1:
            body = codecs.BOM_UTF8 + f'<?xml version="1.0" encoding="UTF-8"?>\n{text}'.encode()
        case 2:
            body = text.encode()
        case 3:
            body = f'<?xml version="1.0" encoding="UTF-16"?>\n{text}'.encode("utf-16")
        case 4:
            # It says one thing and is another, as old POMs are.
            body = f'<?xml version="1.0" encoding="UTF-8"?>\n{text}'.encode("latin-1")
        case _:
            body = f'<?xml version="1.0" encoding="UTF-8"?>\n{text}'.encode()
    return Document.tagged(body, POM_TYPE, Last_Modified=http_date(modified))


def http_date(moment: datetime) -> str:
    """As in ``Last-Modified``."""
    return format_datetime(moment, usegmt=True)
