"""The graph, the only data for a resolver."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from neo4j import READ_ACCESS, Driver

from ssc_ingest.ecosystems import ecosystem

PACKAGE = """
MATCH (p:%s {purl: $purl}) WHERE p.moment IS NOT NULL
RETURN p{.*} AS package, COLLECT {
  MATCH (p)-[:HAVE]->(v:Version) RETURN v{.*} ORDER BY v.serial_number
} AS versions
"""

REQUIREMENTS = """
MATCH (:Version {purl: $purl})-[r:REQUIRE]->(p)
RETURN p.purl AS purl, p.registry_name AS name, properties(r) AS properties ORDER BY purl
"""

TABLE = "MATCH (t:RequirementTable {digest: $digest}) RETURN t.table AS table"


@dataclass(frozen=True, slots=True)
class StoredVersion:
    """A ``Version`` node."""

    name: str
    purl: str
    properties: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class StoredPackage:
    """A package node with its versions, in serial order."""

    purl: str
    name: str
    """The registry's spelling."""
    latest: str | None
    properties: Mapping[str, Any]
    versions: Mapping[str, StoredVersion]


@dataclass(frozen=True, slots=True)
class StoredRequirement:
    """A ``REQUIRE`` edge; ``declarations`` as in ``declared``, or their equivalent."""

    purl: str
    name: str
    """The registry's spelling of the required package's name."""
    constraints: str
    declarations: Sequence[Mapping[str, Any]]


class Graph:
    """Packages of one ecosystem, cached until :meth:`forget`.

    Args:
        driver: to the graph.
        name: the ecosystem.
    """

    def __init__(self, driver: Driver, name: str) -> None:
        self._driver = driver
        self._ecosystem = ecosystem(name)
        self._packages: dict[str, StoredPackage] = {}
        self._requirements: dict[str, tuple[StoredRequirement, ...]] = {}
        self._tables: dict[str, Any] = {}
        self.missing: dict[str, str] = {}
        """Names by purl of the packages that were asked for and have not been extracted."""

    def package(self, name: str) -> StoredPackage | None:
        """The package with a name, in any spelling; ``None`` if it is not extracted yet."""
        ref = self._ecosystem.ref(name)
        if ref.purl not in self._packages:
            rows = self._run(PACKAGE % self._ecosystem.identity.label, purl=ref.purl)
            if not rows:
                self.missing[ref.purl] = name
                return None
            package = rows[0]["package"]
            self._packages[ref.purl] = StoredPackage(
                purl=ref.purl,
                name=package["registry_name"],
                latest=package.get("latest"),
                properties=package,
                versions={
                    row["name"]: StoredVersion(row["name"], row["purl"], row)
                    for row in rows[0]["versions"]
                },
            )
        return self._packages[ref.purl]

    def requirements(self, version: StoredVersion) -> tuple[StoredRequirement, ...]:
        """The version's requirements, in the order of their purls."""
        if version.purl not in self._requirements:
            self._requirements[version.purl] = tuple(
                StoredRequirement(
                    row["purl"],
                    row["name"],
                    row["properties"]["constraints"],
                    _declarations(row["properties"]),
                )
                for row in self._run(REQUIREMENTS, purl=version.purl)
            )
        return self._requirements[version.purl]

    def table(self, version: StoredVersion, name: str) -> Mapping[str, Any]:
        """The version's ``features``, ``extra_requirements`` or ``peer_requirements``."""
        digest = version.properties.get(name)
        if digest is None:
            return {}
        if digest not in self._tables:
            ((text,),) = (row.values() for row in self._run(TABLE, digest=digest))
            self._tables[digest] = json.loads(text)
        found: Mapping[str, Any] = self._tables[digest]
        return found

    def forget_missing(self) -> None:
        """Read the missing packages again at the next use."""
        self.missing.clear()

    def _run(self, statement: str, **parameters: Any) -> list[dict[str, Any]]:
        with self._driver.session(default_access_mode=READ_ACCESS) as session:
            return session.run(statement, parameters).data()


def _declarations(properties: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """Each with the ``text`` of its range; ``*`` if the constraint is ``any``."""
    said = properties.get("declared")
    declared: list[dict[str, Any]] = (
        json.loads(said)
        if said
        else [{key: properties[key] for key in ("kind", "optional") if key in properties}]
    )
    constraints = properties["constraints"]
    default = "*" if constraints == "any" else constraints
    return [{"text": default, **declaration} for declaration in declared]
