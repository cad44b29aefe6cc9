"""Reads for people: packages and versions with all data, dependents, counts, any query."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from neo4j import READ_ACCESS, AsyncDriver, Query, Record, RoutingControl

from ssc_ingest.graph import properties
from ssc_ingest.graph.digests import has_facts
from ssc_ingest.graph.errors import translated
from ssc_ingest.graph.statements import for_label
from ssc_ingest.graph.values import aware, naive_utc
from ssc_ingest.models import Purl

PACKAGE = """
MATCH (package:%(label)s {purl: $purl})
CALL (package) {
  MATCH (package)-[:HAVE]->(version:Version)
  WITH version ORDER BY version.serial_number DESC LIMIT $most
  RETURN collect([version, COUNT { (version)-[:REQUIRE]->() }]) AS versions
}
RETURN package, elementId(package) AS id, versions,
       COUNT { (package)-[:HAVE]->() } AS version_count
"""
"""A package with its newest versions. Unique index on ``purl``."""

VERSION = """
MATCH (version:Version {purl: $purl})
RETURN version, elementId(version) AS id, COUNT { (version)-[:REQUIRE]->() } AS requirements
"""
"""One version. Unique index on ``Version.purl``."""

REQUIREMENTS = """
MATCH (:Version {purl: $purl})-[edge:REQUIRE]->(required)
RETURN required.purl AS purl, edge.constraints AS constraints, edge.kind AS kind,
       coalesce(edge.optional, false) AS optional, edge.declared AS declared,
       required.latest AS latest, required.moment IS NULL AS is_stub
ORDER BY purl
"""
"""The requirements of a version. Unique index on ``Version.purl``."""

TABLES = """
MATCH (version:Version {purl: $purl})
UNWIND $names AS name
MATCH (table:RequirementTable {digest: version[name]})
RETURN name, table.table AS text
"""
"""The tables of a version. Unique indexes on ``Version.purl`` and ``RequirementTable.digest``."""

DEPENDENTS = """
MATCH (:%(label)s {purl: $purl})<-[edge:REQUIRE]-(version:Version)<-[:HAVE]-(package)
WITH edge, version, package LIMIT $edges
ORDER BY version.serial_number DESC
WITH package, collect({name: version.name, constraints: edge.constraints})[0] AS newest,
     count(*) AS versions
ORDER BY package.purl
WITH collect({purl: package.purl, newest: newest.name, constraints: newest.constraints,
              versions: versions, is_latest: newest.name = package.latest}) AS dependents
RETURN dependents[..$most] AS dependents, size(dependents) AS total
"""
"""The dependents of a package, each with its newest requiring version. Unique index on ``purl``."""

REQUIREMENT_FILES = """
MATCH (package:%(label)s {purl: $purl})
RETURN COUNT { (package)<-[:REQUIRE]-(:RequirementFile) } AS files
"""
"""The number of requirement files with a package. Unique index on ``purl``."""

COUNTS = """
CALL () { MATCH (package:%(label)s) RETURN count(package) AS packages }
CALL () { MATCH (:%(label)s)-[have:HAVE]->() RETURN count(have) AS versions }
CALL () { MATCH ()-[require:REQUIRE]->(:%(label)s) RETURN count(require) AS requirements }
CALL () { MATCH (package:%(label)s) WHERE package.moment IS NOT NULL
          RETURN count(package) AS read, min(package.moment) AS oldest,
                 max(package.moment) AS newest }
CALL () { MATCH (package:%(label)s) WHERE package.moment >= localdatetime() - duration('P1D')
          RETURN count(package) AS read_last_day }
CALL () { MATCH (package:%(label)s) WHERE package.versions_without_facts > 0
          RETURN sum(package.versions_without_facts) AS without_facts }
CALL () { MATCH (package:%(label)s) WHERE package.import_names_from IS NOT NULL
          RETURN count(package) AS named }
RETURN packages, versions, requirements, read, oldest, newest, read_last_day, without_facts, named
"""
"""How much there is, and how old it is. From the count store, and the indexes on ``moment``,
``versions_without_facts`` and ``import_names_from``."""

AGES = """
CALL () { MATCH (package:%(label)s) WHERE package.moment IS NOT NULL
          RETURN count(package) AS read }
CALL () { MATCH (package:%(label)s) WHERE package.moment < $goal RETURN count(package) AS stale }
RETURN read, stale
"""
"""The number of packages last read before a time. Index on ``moment``."""

MAX_EDGES = 100_000
"""Maximum edges read for a list of dependents; some packages have millions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionView:
    """One version in the graph."""

    element_id: str | None
    name: str
    purl: Purl
    serial_number: int
    release_date: str | None
    yanked: bool
    vulnerabilities: tuple[str, ...]
    mean: float
    weighted_mean: float
    malicious: bool
    notices: tuple[str, ...]
    """Ids of advisories that warn of it."""
    requirements: int
    """Number of packages that it requires."""
    requirements_unknown: bool
    """Whether the registry has no readable statement of the requirements."""
    facts_known: bool
    """Whether an absent one of the following is none, and not unknown. Not of the licences, which
    are unknown where they are absent."""
    requires_python: str | None
    engines: str | None
    os: tuple[str, ...] | None
    cpu: tuple[str, ...] | None
    license: str | None
    license_spdx: str | None
    deprecated: str | None

    @property
    def vulnerable(self) -> bool:
        """Whether it has a known vulnerability."""
        return bool(self.vulnerabilities)


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageView:
    """A package in the graph, with its newest versions first."""

    element_id: str
    purl: Purl
    name: str
    vendor: str
    repository_url: str
    import_names: tuple[str, ...]
    import_names_from: str | None
    """The version that they were read from."""
    moment: datetime | None
    latest: str | None
    version_count: int
    versions: tuple[VersionView, ...]

    @property
    def is_stub(self) -> bool:
        """Whether the package is a stub."""
        return self.moment is None


@dataclass(frozen=True, slots=True, kw_only=True)
class RequirementView:
    """A package that a version requires."""

    purl: Purl
    constraints: str
    latest: str | None
    is_stub: bool
    kind: str | None = None
    optional: bool = False
    declared: list[dict[str, Any]] | None = None
    """The declarations, where the other fields do not say everything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependent:
    """A package with a version that requires the given package."""

    purl: Purl
    newest: str
    """Its newest version with the requirement."""
    constraints: str
    """The constraints of that version."""
    versions: int
    """Number of its versions with the requirement."""
    is_latest: bool
    """Whether that newest version is the latest one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependents:
    """The dependents of a package: some of ``total`` packages, and requirement files."""

    packages: tuple[Dependent, ...]
    total: int
    requirement_files: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """The size and age of one ecosystem in the graph."""

    packages: int
    """Number of packages, without stubs."""
    stubs: int
    versions: int
    requirements: int
    read_last_day: int
    oldest: datetime | None
    newest: datetime | None
    versions_without_facts: int
    """Versions that an earlier release read, as far as they have been counted."""
    named: int
    """Packages whose import names were read; those of all others are a guess, or migrated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ages:
    """The number of packages of one ecosystem, and of stale ones among them."""

    read: int
    stale: int


@dataclass(frozen=True, slots=True)
class Rows:
    """The result of a query, with values of the driver's types."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    more: bool
    """Whether there are more rows than requested."""


class GraphViews:
    """Reads for people; every method is one or two small transactions.

    Raises, all methods:
        StoreUnavailable: the server is unavailable or busy, or the read took too long.
    """

    def __init__(self, driver: AsyncDriver, *, timeout: float) -> None:
        """``timeout``: maximum seconds of a read."""
        self._driver = driver
        self._timeout = timeout

    async def package(self, label: str, purl: Purl, *, versions: int) -> PackageView | None:
        """A package with its ``versions`` newest versions, or ``None``."""
        records = await self._read(for_label(PACKAGE, label), purl=purl, most=versions)
        if not records:
            return None
        row = records[0]
        return PackageView(
            element_id=row["id"],
            version_count=row["version_count"],
            versions=tuple(_version(node, None, count) for node, count in row["versions"]),
            **properties.PACKAGE.view(row["package"], _names(PackageView)),
        )

    async def version(self, purl: Purl) -> VersionView | None:
        """A version by its purl, or ``None``."""
        records = await self._read(VERSION, purl=purl)
        if not records:
            return None
        row = records[0]
        return _version(row["version"], row["id"], row["requirements"])

    async def requirements(self, purl: Purl) -> list[RequirementView]:
        """The requirements of a version."""
        records = await self._read(REQUIREMENTS, purl=purl)
        return [
            RequirementView(
                **row.data() | {"declared": row["declared"] and json.loads(row["declared"])}
            )
            for row in records
        ]

    async def tables(self, purl: Purl) -> dict[str, Any]:
        """The large facts of a version, parsed; ``None`` for those that it does not have."""
        names = properties.VERSION.tables
        records = await self._read(TABLES, purl=purl, names=names)
        found: dict[str, Any] = dict.fromkeys(names)
        return found | {row["name"]: json.loads(row["text"]) for row in records}

    async def dependents(self, label: str, purl: Purl, *, most: int) -> Dependents:
        """The dependents of a package: at most ``most`` packages, by name."""
        (row,) = await self._read(
            for_label(DEPENDENTS, label), purl=purl, most=most, edges=MAX_EDGES
        )
        files = await self._read(for_label(REQUIREMENT_FILES, label), purl=purl)
        return Dependents(
            packages=tuple(Dependent(**dependent) for dependent in row["dependents"]),
            total=row["total"],
            requirement_files=files[0]["files"] if files else 0,
        )

    async def counts(self, labels: Mapping[str, str]) -> dict[str, Counts]:
        """Counts by ecosystem; ``labels`` are labels by the names of ecosystems."""
        found = {}
        for name, label in labels.items():
            (row,) = await self._read(for_label(COUNTS, label))
            found[name] = Counts(
                packages=row["read"],
                stubs=row["packages"] - row["read"],
                versions=row["versions"],
                requirements=row["requirements"],
                read_last_day=row["read_last_day"],
                oldest=aware(row["oldest"]),
                newest=aware(row["newest"]),
                versions_without_facts=row["without_facts"],
                named=row["named"],
            )
        return found

    async def ages(self, labels: Mapping[str, str], goal: datetime) -> dict[str, Ages]:
        """The number of packages last read before ``goal``, by ecosystem."""
        found = {}
        for name, label in labels.items():
            (row,) = await self._read(for_label(AGES, label), goal=naive_utc(goal))
            found[name] = Ages(read=row["read"], stale=row["stale"])
        return found

    async def query(self, statement: str, *, limit: int) -> Rows:
        """Run any read-only statement; the server rejects others.

        Raises:
            GraphRefused: the statement writes, or is invalid Cypher.
        """
        with translated("this statement"):
            async with self._driver.session(
                default_access_mode=READ_ACCESS, fetch_size=limit + 1
            ) as session:
                result = await session.run(Query(statement, timeout=self._timeout))
                records: Iterable[Record] = await result.fetch(limit + 1)
                rows = [tuple(record.values()) for record in records]
                return Rows(tuple(result.keys()), tuple(rows[:limit]), len(rows) > limit)

    async def _read(self, statement: str, **parameters: Any) -> list[Record]:
        with translated("a read"):
            answer = await self._driver.execute_query(
                Query(statement, timeout=self._timeout),
                parameters,
                routing_=RoutingControl.READ,
            )
        return answer.records


def _version(node: Any, element_id: str | None, requirements: int) -> VersionView:
    return VersionView(
        element_id=element_id,
        requirements=requirements,
        facts_known=has_facts(
            node.get("requirements_digest"), unknown=bool(node.get("requirements_unknown"))
        ),
        **properties.VERSION.view(node, _names(VersionView)),
    )


def _names(view: type) -> list[str]:
    return [field.name for field in fields(view)]
