"""Audits of the data contract: each counts violations, so the result should be 0.

Each audit scans a whole label, which takes a while on millions of packages. So only operators run
them, not workers.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from neo4j import AsyncDriver, Query, RoutingControl

from ssc_ingest.errors import StoreUnavailable
from ssc_ingest.graph.errors import translated
from ssc_ingest.graph.properties import VERSION
from ssc_ingest.graph.statements import for_label

PACKAGES_WITHOUT_PURL = """
MATCH (package:%(label)s) WHERE package.purl IS NULL
RETURN count(package) AS found, collect(package.name)[..3] AS examples
"""

PACKAGES_WITH_SEVERAL_LABELS = """
MATCH (package:%(label)s) WHERE size(labels(package)) > 1
RETURN count(package) AS found, collect(package.purl)[..3] AS examples
"""

NAMES_USED_TWICE = """
MATCH (package:%(label)s) WHERE package.moment IS NOT NULL
WITH package.name AS name, count(*) AS packages WHERE packages > 1
RETURN count(name) AS found, collect(name)[..3] AS examples
"""

SERIAL_NUMBERS_WITH_GAPS = """
MATCH (package:%(label)s)-[:HAVE]->(version:Version)
WITH package, count(version) AS versions, count(DISTINCT version.serial_number) AS numbers,
     min(version.serial_number) AS lowest, max(version.serial_number) AS highest
WHERE numbers <> versions OR lowest <> 0 OR highest <> versions - 1
RETURN count(package) AS found, collect(package.purl)[..3] AS examples
"""

REQUIREMENTS_OF_NOBODY = """
MATCH (package:%(label)s)-[:HAVE]->(version:Version)-[edge:REQUIRE]->()
WHERE edge.constraints IS NULL OR edge.constraints = ''
   OR edge.parent_version_name IS NULL OR edge.parent_version_name <> package.purl
RETURN count(edge) AS found, collect(DISTINCT version.purl)[..3] AS examples
"""

REQUIREMENTS_TWICE = """
MATCH (:%(label)s)-[:HAVE]->(version:Version)-[edge:REQUIRE]->(required)
WITH version, required, count(edge) AS edges WHERE edges > 1
RETURN count(*) AS found, collect(version.purl)[..3] AS examples
"""

VERSIONS_WITHOUT_ONE_PACKAGE = """
MATCH (version:Version)
WHERE COUNT { (version)<-[:HAVE]-() } <> 1 OR version.vulnerabilities IS NULL
RETURN count(version) AS found, collect(version.purl)[..3] AS examples
"""

FACTS_WITHOUT_TABLE = f"""
MATCH (version:Version)
UNWIND {list(VERSION.tables)} AS name
WITH version, version[name] AS digest WHERE digest IS NOT NULL
  AND NOT EXISTS {{ MATCH (:RequirementTable {{digest: digest}}) }}
RETURN count(digest) AS found, collect(version.purl)[..3] AS examples
"""

PER_LABEL = {
    "packages without purl": PACKAGES_WITHOUT_PURL,
    "packages with several labels": PACKAGES_WITH_SEVERAL_LABELS,
    "names that two packages share": NAMES_USED_TWICE,
    "packages whose serial numbers have gaps": SERIAL_NUMBERS_WITH_GAPS,
    "requirements without constraints or owner": REQUIREMENTS_OF_NOBODY,
    "requirements that exist twice": REQUIREMENTS_TWICE,
}

PER_GRAPH = {
    "versions without exactly one package": VERSIONS_WITHOUT_ONE_PACKAGE,
    "facts whose table is missing": FACTS_WITHOUT_TABLE,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """The result of one audit."""

    subject: str
    """``packages without purl (PyPIPackage)``."""
    found: int | None
    """The number of violations; ``None`` if the server did not finish in time."""
    examples: tuple[str, ...] = ()


def questions(labels: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Every audit as (subject, statement)."""
    for label in labels:
        for subject, statement in PER_LABEL.items():
            yield f"{subject} ({label})", for_label(statement, label)
    yield from PER_GRAPH.items()


async def audit(
    driver: AsyncDriver,
    subject: str,
    statement: str,
    *,
    timeout: float,  # noqa: ASYNC109
) -> Finding:
    """Run one audit, for at most ``timeout`` seconds."""
    try:
        with translated("an audit"):
            answer = await driver.execute_query(
                Query(statement, timeout=timeout), routing_=RoutingControl.READ
            )
    except StoreUnavailable:
        return Finding(subject=subject, found=None)
    row = answer.records[0]
    examples = tuple(str(example) for example in row["examples"])
    return Finding(subject=subject, found=row["found"], examples=examples)
