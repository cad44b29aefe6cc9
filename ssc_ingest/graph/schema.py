"""Constraints and indexes of the graph, computed from the labels of the ecosystems.

Only a unique constraint ensures that two concurrent MERGEs of a purl create one node. The other
indexes serve reads.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from neo4j import AsyncDriver, RoutingControl
from neo4j.exceptions import ClientError, DatabaseError

from ssc_ingest.errors import ConfigurationError
from ssc_ingest.graph.errors import translated
from ssc_ingest.graph.statements import check_label

CREATE_CONSTRAINT = """
CREATE CONSTRAINT %(name)s IF NOT EXISTS FOR (node:%(label)s) REQUIRE node.%(key)s IS UNIQUE
"""
"""A unique key, with the index that every MERGE and MATCH on it uses."""

CREATE_INDEX = """
CREATE INDEX %(name)s IF NOT EXISTS FOR (node:%(label)s) ON (node.%(key)s)
"""
"""A plain index."""

CREATE_FULLTEXT_INDEX = """
CREATE FULLTEXT INDEX %(name)s IF NOT EXISTS FOR (node:%(label)s) ON EACH [node.%(key)s]
OPTIONS {indexConfig: {`fulltext.analyzer`: 'keyword', `fulltext.eventually_consistent`: true}}
"""
"""An index of every text in a list, whole and unchanged. It follows a commit a moment later, so
commits do not wait for it."""

AWAIT_INDEXES = "CALL db.awaitIndexes($seconds)"
"""Wait until all indexes are filled."""

SHOW_INDEXES = """
SHOW INDEXES YIELD labelsOrTypes, properties, type, state, owningConstraint
WHERE type IN ['RANGE', 'FULLTEXT'] AND size(labelsOrTypes) = 1 AND size(properties) = 1
  AND state = 'ONLINE'
RETURN labelsOrTypes[0] AS label, properties[0] AS key, owningConstraint IS NOT NULL AS is_unique,
       type = 'FULLTEXT' AS is_fulltext
"""
"""The existing single-key indexes."""

FIND_PACKAGE_WITHOUT_PURL = """
MATCH (package:%(label)s) WHERE package.purl IS NULL
RETURN package.name AS name LIMIT 1
"""
"""A package of the reference implementation.

No index finds absent properties, so this scans the label. It runs only while the label has no
constraint: the graph is then empty, or nearly every node matches.
"""

MIGRATION_LABEL = "SscIngestMigration"
"""Label of the node with the progress of an unfinished migration."""

FIND_MIGRATION = f"""
MATCH (state:{MIGRATION_LABEL}) RETURN count(state) AS found
"""
"""Whether a migration is unfinished. From the count store."""

_RACED = ("EquivalentSchemaRuleAlreadyExists", "ConstraintAlreadyExists", "IndexAlreadyExists")
"""Endings of error codes if another process was faster."""

FILL_SECONDS = 3600
"""Filling indexes on a graph of millions of nodes takes minutes."""


@dataclass(frozen=True, slots=True)
class Index:
    """A single-key index on the nodes of a label."""

    label: str
    key: str
    is_unique: bool = False
    is_fulltext: bool = False
    """Whether it finds the texts in lists."""

    @property
    def name(self) -> str:
        """Its name in the graph."""
        return f"{self.label}_{self.key}".lower()

    @property
    def statement(self) -> str:
        """The Cypher that creates it if it is missing."""
        template = CREATE_CONSTRAINT if self.is_unique else CREATE_INDEX
        if self.is_fulltext:
            template = CREATE_FULLTEXT_INDEX
        return template % {"name": self.name, "label": check_label(self.label), "key": self.key}


def names_index(label: str) -> Index:
    """The index that finds the packages with an import name."""
    return Index(label, "import_names", is_fulltext=True)


VERSION_INDEXES = (Index("Version", "purl", is_unique=True), Index("Version", "name"))

REQUIREMENT_FILE_INDEXES = (Index("RequirementFile", "moment"),)
"""An index on nodes of another service, to find its recent files."""


TABLE_INDEXES = (Index("RequirementTable", "digest", is_unique=True),)


def required_indexes(labels: Iterable[str]) -> tuple[Index, ...]:
    """The indexes for the writer, the reader and the graph's consumers.

    ``name`` is not unique: two packages may differ in case alone. ``moment`` finds packages that
    were not read for a long time, ``versions_without_facts`` packages to read again, and
    ``import_names`` packages that a program imports. ``import_names_from`` counts the packages
    whose names were read.
    """
    package_indexes = (
        index
        for label in labels
        for index in (
            Index(label, "purl", is_unique=True),
            Index(label, "name"),
            Index(label, "moment"),
            Index(label, "versions_without_facts"),
            Index(label, "import_names_from"),
            names_index(label),
        )
    )
    return (*package_indexes, *VERSION_INDEXES, *TABLE_INDEXES, *REQUIREMENT_FILE_INDEXES)


async def ensure_schema(driver: AsyncDriver, labels: Iterable[str]) -> None:
    """Create missing indexes, and wait until they are filled.

    Safe to repeat, also by several processes at once; costs one cheap query if none is missing.

    Raises:
        ConfigurationError: the graph has packages without purl, or two with the same, or a
            migration is unfinished.
        StoreUnavailable: the server is unavailable.
    """
    with translated("the schema"):
        await _refuse_unfinished_migration(driver)
        absent = await missing_indexes(driver, labels)
        for index in absent:
            if index.is_unique and index.key == "purl" and index.label != "Version":
                await _refuse_packages_without_purl(driver, index.label)
        for index in absent:
            await _create(driver, index)
        if absent:
            await driver.execute_query(AWAIT_INDEXES, seconds=FILL_SECONDS)


async def missing_indexes(driver: AsyncDriver, labels: Iterable[str]) -> Sequence[Index]:
    """The required indexes that are missing or not filled yet."""
    with translated("the schema"):
        answer = await driver.execute_query(SHOW_INDEXES, routing_=RoutingControl.READ)
    present = {Index(**row.data()) for row in answer.records}
    return [index for index in required_indexes(labels) if index not in present]


async def _refuse_unfinished_migration(driver: AsyncDriver) -> None:
    answer = await driver.execute_query(FIND_MIGRATION, routing_=RoutingControl.READ)
    if answer.records[0]["found"]:
        raise ConfigurationError(
            "GRAPH_DB_URI: a migration of the graph is running or was interrupted: wait for its "
            "end, or run `ssc-ingest migrate` again, which continues where it stopped"
        )


async def _refuse_packages_without_purl(driver: AsyncDriver, label: str) -> None:
    statement = FIND_PACKAGE_WITHOUT_PURL % {"label": check_label(label)}
    answer = await driver.execute_query(statement, routing_=RoutingControl.READ)
    if answer.records:
        raise ConfigurationError(
            f"GRAPH_DB_URI: the graph has {label} nodes without purl (one is named "
            f"{answer.records[0]['name']!r}), as the reference implementation wrote them: "
            "run `ssc-ingest migrate` first"
        )


async def _create(driver: AsyncDriver, index: Index) -> None:
    try:
        await driver.execute_query(index.statement)
    except (ClientError, DatabaseError) as error:
        code = error.code or ""
        if code.endswith("ConstraintCreationFailed") or (
            index.is_unique and "IndexAlready" in code
        ):
            raise ConfigurationError(
                f"GRAPH_DB_URI: {index.label}.{index.key} cannot be made unique: "
                f"{error.message}; run `ssc-ingest migrate` first"
            ) from error
        if not code.endswith(_RACED):
            raise
