"""Reads of import names: those of a package, packages without names, packages with a name."""

from dataclasses import dataclass
from typing import Any

from neo4j import AsyncDriver, Record, RoutingControl

from ssc_ingest.graph.errors import translated
from ssc_ingest.graph.schema import names_index
from ssc_ingest.graph.statements import for_label
from ssc_ingest.models import PackageRef, Purl, VersionName

STATE = """
MATCH (package:%(label)s {purl: $purl}) WHERE package.moment IS NOT NULL
OPTIONAL MATCH (version:Version {purl: $version})
RETURN package.latest AS latest, package.import_names_from AS names_from,
       package.import_names AS package_names,
       version IS NOT NULL AS has_version, version.import_names AS names
"""
"""What is known of the names of a package and one version. Unique indexes on ``purl``."""

LACKING = """
MATCH (package:%(label)s) WHERE package.purl > $behind
WITH package ORDER BY package.purl LIMIT $most
RETURN max(package.purl) AS last, count(package) AS looked_at,
       collect(CASE WHEN package.moment IS NOT NULL AND package.latest IS NOT NULL
                     AND package.gone_since IS NULL
                     AND ($all OR coalesce(package.import_names_from, '') <> package.latest)
               THEN {purl: package.purl, name: coalesce(package.registry_name, package.name),
                     names: package.import_names[..2], names_from: package.import_names_from}
               END) AS packages
"""
"""The packages among the next ones by purl whose names are not of the latest version, or all.
Unique index on ``purl``."""

IMPORTED_AS = """
CALL db.index.fulltext.queryNodes($index, $query) YIELD node
WHERE $name IN node.import_names
RETURN node.purl AS purl, node.import_names_from AS names_from, node.latest AS latest,
       node.import_names[..2] AS names
ORDER BY purl LIMIT $most
"""
"""The packages of a label with an import name. Full-text index on ``import_names``, whose tokens
are whole names; letters of names are compared exactly."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NamesState:
    """The import names of a package and of one of its versions in the graph."""

    latest: VersionName | None
    names_from: VersionName | None
    has_version: bool
    package_names: tuple[str, ...]
    names: tuple[str, ...] | None
    """The version's own; ``None`` if they were not read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedPackage:
    """A package with the beginning of its names."""

    purl: Purl
    name: str = ""
    names: tuple[str, ...]
    """At most two."""
    names_from: VersionName | None
    latest: VersionName | None = None


@dataclass(frozen=True, slots=True)
class Walked:
    """A part of the packages of a label."""

    packages: tuple[NamedPackage, ...]
    last: Purl | None
    """The purl after which to continue; ``None`` at the end."""


class ImportNamesGraph:
    """Reads about import names; every method is one small transaction.

    Raises, all methods:
        StoreUnavailable: the server is unavailable or busy.
    """

    def __init__(self, driver: AsyncDriver) -> None:
        self._driver = driver

    async def state(self, ref: PackageRef, version: Purl) -> NamesState | None:
        """The names of a package and a version; ``None`` if the package was not read."""
        statement = for_label(STATE, ref.label)
        for row in await self._read(statement, purl=ref.purl, version=version):
            return NamesState(
                latest=row["latest"],
                names_from=row["names_from"],
                has_version=row["has_version"],
                package_names=tuple(row["package_names"] or ()),
                names=None if row["names"] is None else tuple(row["names"]),
            )
        return None

    async def lacking(
        self, label: str, behind: Purl, most: int, *, everything: bool = False
    ) -> Walked:
        """Find packages without names of their latest version among the next ``most`` after a purl.

        ``everything``: also those that have these names. Stubs, packages without
        versions and packages that the registry no longer has are passed over.
        """
        (row,) = await self._read(
            for_label(LACKING, label), behind=behind, most=most, all=everything
        )
        packages = tuple(_package(found) for found in row["packages"])
        return Walked(packages, row["last"] if row["looked_at"] == most else None)

    async def imported_as(self, label: str, name: str, most: int) -> list[NamedPackage]:
        """The packages that source code imports by exactly this name, by purl."""
        records = await self._read(
            IMPORTED_AS, index=names_index(label).name, query=_phrase(name), name=name, most=most
        )
        return [_package(row.data()) for row in records]

    async def _read(self, statement: str, **parameters: Any) -> list[Record]:
        with translated("a read"):
            answer = await self._driver.execute_query(
                statement, parameters, routing_=RoutingControl.READ
            )
        return answer.records


def _phrase(name: str) -> str:
    """A query of Lucene for the whole name."""
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _package(row: Any) -> NamedPackage:
    return NamedPackage(**{**row, "names": tuple(row["names"] or ())})
