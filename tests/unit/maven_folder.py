"""A Maven repository in memory and on disk, for effective models."""

import asyncio
from pathlib import Path

from ssc_ingest.ecosystems.maven.identity import Coordinates
from ssc_ingest.ecosystems.maven.pom.effective import EffectivePom
from ssc_ingest.ecosystems.maven.pom.model import Declaration, Pom, parse_pom
from ssc_ingest.ecosystems.maven.pom.parents import Inheritance, ParsedPoms


class Folder:
    """POMs by their coordinates; ``asked`` are those read as parents or imports."""

    def __init__(self, poms: dict[Coordinates, bytes] | None = None) -> None:
        self.poms = poms or {}
        self.asked: list[Coordinates] = []
        self.inheritance = Inheritance(self._read, self._versions_of, ParsedPoms())

    def add(self, coordinates: str, body: str, packaging: str = "pom") -> Coordinates:
        """Add ``<project>body</project>`` at ``group:artifact:version``; jars need no packaging."""
        kind = f"<packaging>{packaging}</packaging>" if packaging else ""
        found = Coordinates(*coordinates.split(":"))
        group, artifact, version = found
        self.poms[found] = (
            f"<project><modelVersion>4.0.0</modelVersion><groupId>{group}</groupId>"
            f"<artifactId>{artifact}</artifactId><version>{version}</version>"
            f"{kind}{body}</project>"
        ).encode()
        return found

    def write(self, folder: Path) -> None:
        """Write the POMs in the layout of a repository."""
        for coordinates, body in self.poms.items():
            path = folder.joinpath(*coordinates.pom_path)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(body)

    async def _read(self, coordinates: Coordinates) -> Pom | None:
        self.asked.append(coordinates)
        await asyncio.sleep(0)
        body = self.poms.get(coordinates)
        return parse_pom(body, "") if body else None

    async def _versions_of(self, name: str) -> list[str]:
        await asyncio.sleep(0)
        return [place.version for place in self.poms if f"{place.group}:{place.artifact}" == name]

    async def effective(self, coordinates: Coordinates) -> EffectivePom:
        """The POM with its parents."""
        pom = parse_pom(self.poms[coordinates], "")
        return await self.inheritance.of(coordinates, pom)

    async def dependencies(self, coordinates: Coordinates) -> list[Declaration]:
        """The dependencies of the effective POM."""
        return await self.inheritance.complete(await self.effective(coordinates))


def dependency(name: str, version: str = "", **more: str) -> str:
    """A ``dependency`` element: ``dependency("g:a", "1", scope="test")``."""
    group, artifact = name.split(":")
    values = {"groupId": group, "artifactId": artifact, "version": version, **more}
    inside = "".join(f"<{key}>{value}</{key}>" for key, value in values.items() if value)
    return f"<dependency>{inside}</dependency>"


def excluding(element: str, *names: str) -> str:
    """The ``dependency`` element with exclusions of ``group:artifact``."""
    inside = "".join(
        f"<exclusion><groupId>{group}</groupId><artifactId>{artifact}</artifactId></exclusion>"
        for group, artifact in (name.split(":") for name in names)
    )
    exclusions = f"<exclusions>{inside}</exclusions>" if names else ""
    return element.replace("</dependency>", f"{exclusions}</dependency>")


def licenses(*names: str) -> str:
    """The ``licenses`` element; a name that is an address stands where addresses stand."""
    inside = "".join(
        f"<license><{kind}>{name}</{kind}></license>"
        for name in names
        for kind in ("url" if name.startswith("http") else "name",)
    )
    return f"<licenses>{inside}</licenses>"


def dependencies(*elements: str) -> str:
    """The ``dependencies`` element."""
    return f"<dependencies>{''.join(elements)}</dependencies>"


def managed(*elements: str) -> str:
    """The ``dependencyManagement`` element."""
    return f"<dependencyManagement>{dependencies(*elements)}</dependencyManagement>"


def bill(name: str, version: str) -> str:
    """A managed import of a bill of materials."""
    return dependency(name, version, type="pom", scope="import")


def parent(coordinates: str) -> str:
    """The ``parent`` element."""
    group, artifact, version = coordinates.split(":")
    return (
        f"<parent><groupId>{group}</groupId><artifactId>{artifact}</artifactId>"
        f"<version>{version}</version></parent>"
    )


def properties(**values: str) -> str:
    """The ``properties`` element; ``_`` in a name is a dot."""
    inside = "".join(
        f"<{name.replace('_', '.')}>{value}</{name.replace('_', '.')}>"
        for name, value in values.items()
    )
    return f"<properties>{inside}</properties>"
