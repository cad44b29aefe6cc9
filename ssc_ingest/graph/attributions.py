"""Reads of versions and their vulnerabilities, for attribution and audits."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from neo4j import AsyncDriver, Record, RoutingControl

from ssc_ingest.graph.changes import Row
from ssc_ingest.graph.errors import translated
from ssc_ingest.graph.properties import VERSION
from ssc_ingest.graph.statements import for_label
from ssc_ingest.models import Purl, VersionName

_VALUES = ", ".join(f"version.{name}" for name in ("name", "purl", *VERSION.elsewhere))

ATTRIBUTED_VERSIONS = f"""
UNWIND $purls AS purl
MATCH (package:%(label)s {{purl: purl}}) WHERE package.moment IS NOT NULL
RETURN purl, package{{.name, .registry_name, .group_id, .artifact_id}} AS names,
       COLLECT {{ MATCH (package)-[:HAVE]->(version:Version) RETURN [{_VALUES}] }} AS versions
"""
"""The versions of packages, with their properties from advisories. Unique index on ``purl``."""

PACKAGES_BEHIND = """
MATCH (package:%(label)s) WHERE package.purl > $behind
WITH package ORDER BY package.purl LIMIT $most
RETURN max(package.purl) AS last, count(package) AS seen,
       collect(CASE WHEN package.moment IS NOT NULL THEN package.purl END) AS purls
"""
"""The packages that were read among the next ones by purl. Unique index on ``purl``."""

COUNT_PACKAGES = """
MATCH (package:%(label)s) WHERE package.moment IS NOT NULL RETURN count(package) AS packages
"""
"""How many packages were read. Index on ``moment``."""

DRAW_PACKAGES = """
MATCH (package:%(label)s) WHERE rand() < $share AND package.moment IS NOT NULL
RETURN package.purl AS purl
"""
"""A random share of all packages that were read; a scan of the label."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AttributedVersion:
    """A version, with its properties of ``VERSION.elsewhere`` in the graph."""

    name: VersionName
    purl: Purl
    properties: Row


@dataclass(frozen=True, slots=True, kw_only=True)
class AttributedPackage:
    """A package that was read."""

    purl: Purl
    names: Mapping[str, Any]
    """The properties of the node that spell its name."""
    versions: tuple[AttributedVersion, ...]


@dataclass(frozen=True, slots=True)
class PurlPage:
    """The packages of a part of the scan that were read, and its last purl; ``None`` at the end."""

    purls: tuple[Purl, ...]
    last: Purl | None


class AttributionReader:
    """Every method is one small transaction, but :meth:`draw`.

    Raises, all methods:
        StoreUnavailable: the server is unavailable or busy.
    """

    def __init__(self, driver: AsyncDriver) -> None:
        self._driver = driver

    async def packages(self, label: str, purls: Iterable[Purl]) -> list[AttributedPackage]:
        """The given packages (hundreds at a time) that were read into the graph."""
        records = await self._read(for_label(ATTRIBUTED_VERSIONS, label), purls=list(purls))
        return [
            AttributedPackage(
                purl=row["purl"],
                names=row["names"],
                versions=tuple(
                    AttributedVersion(
                        name=name,
                        purl=purl,
                        properties=dict(zip(VERSION.elsewhere, values, strict=True)),
                    )
                    for name, purl, *values in row["versions"]
                ),
            )
            for row in records
        ]

    async def page(self, label: str, behind: Purl, most: int) -> PurlPage:
        """The read packages among the next ``most`` after a purl; an empty one starts."""
        (row,) = await self._read(for_label(PACKAGES_BEHIND, label), behind=behind, most=most)
        return PurlPage(tuple(row["purls"]), row["last"] if row["seen"] == most else None)

    async def count(self, label: str) -> int:
        """The number of packages that were read."""
        (row,) = await self._read(for_label(COUNT_PACKAGES, label))
        return int(row["packages"])

    async def draw(self, label: str, share: float) -> list[Purl]:
        """A random share (0 to 1) of the packages that were read.

        Scans the whole label, in seconds for millions.
        """
        records = await self._read(for_label(DRAW_PACKAGES, label), share=share)
        return [row["purl"] for row in records]

    async def _read(self, statement: str, **parameters: Any) -> list[Record]:
        with translated("a read"):
            answer = await self._driver.execute_query(
                statement, parameters, routing_=RoutingControl.READ
            )
        return answer.records
