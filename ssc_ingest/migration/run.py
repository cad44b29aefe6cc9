"""The whole migration; it continues where an earlier one stopped."""

from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial

from neo4j import AsyncDriver

from ssc_ingest.ecosystems.base import Ecosystem
from ssc_ingest.graph.schema import ensure_schema
from ssc_ingest.graph.statements import for_label
from ssc_ingest.migration.indexes import create_indexes, drop_indexes
from ssc_ingest.migration.journal import Journal, Position
from ssc_ingest.migration.packages import migrate_packages
from ssc_ingest.migration.progress import Progress
from ssc_ingest.migration.strays import delete_orphans, migrate_files
from ssc_ingest.migration.versions import migrate_versions

COUNT_PACKAGES = "MATCH (package:%(label)s) RETURN count(package) AS n"
COUNT_VERSIONS = "MATCH (:%(label)s)-[link:HAVE]->() RETURN count(link) AS n"
COUNT_FILES = "MATCH (file:RequirementFile) RETURN count(file) AS n"
COUNT_ALL_VERSIONS = "MATCH (version:Version) RETURN count(version) AS n"
"""From the count store: no node is read."""


@dataclass(frozen=True, slots=True)
class Part:
    """One step of the migration; its position is stored under ``name``."""

    name: str
    title: str
    counted: str
    work: Callable[[Position], Awaitable[None]]


async def migrate(
    driver: AsyncDriver, ecosystems: Iterable[type[Ecosystem]], progress: Progress
) -> Counter[str]:
    """Convert the whole graph to the data model. No other program may write to it.

    May be interrupted at any moment and repeated; correct data is only read.

    Returns:
        The counts by the keys of :data:`~.progress.COUNTS`, over all attempts.

    Raises:
        StoreUnavailable: the graph is unavailable; run the migration again.
        SupersededMigration: another process has taken over.
        ConfigurationError: the graph cannot be brought to its schema.
    """
    ecosystems = tuple(ecosystems)
    labels = [ecosystem.identity.label for ecosystem in ecosystems]
    journal = Journal(driver)
    await journal.open()
    progress.begin("indexes", None)
    await create_indexes(driver, labels)
    parts = list(_parts(journal, ecosystems, progress))
    stopped = journal.position
    names = [part.name for part in parts]
    if stopped is not None and stopped.step in names:
        parts = parts[names.index(stopped.step) :]
        progress.say(f"an earlier migration stopped at {parts[0].title}; this one continues there")
    else:
        stopped = None
    for part in parts:
        at_stop = stopped is not None and stopped.step == part.name
        position = stopped if stopped is not None and at_stop else Position(part.name)
        progress.begin(part.title, (await journal.read(part.counted))[0]["n"], position.done)
        await journal.write(position=position)
        await part.work(position)
    progress.begin("constraints and indexes", None)
    await drop_indexes(driver, labels)
    await journal.close()
    await ensure_schema(driver, labels)
    return journal.counts


def _parts(
    journal: Journal, ecosystems: Iterable[type[Ecosystem]], progress: Progress
) -> Iterator[Part]:
    for ecosystem in ecosystems:
        identity = ecosystem.identity
        yield Part(
            f"packages {identity.name}",
            f"{identity.title}: packages",
            for_label(COUNT_PACKAGES, identity.label),
            partial(migrate_packages, journal, progress, ecosystem),
        )
    for ecosystem in ecosystems:
        identity = ecosystem.identity
        yield Part(
            f"versions {identity.name}",
            f"{identity.title}: versions",
            for_label(COUNT_VERSIONS, identity.label),
            partial(migrate_versions, journal, progress, ecosystem),
        )
    yield Part("files", "requirement files", COUNT_FILES, partial(migrate_files, journal, progress))
    yield Part(
        "orphans",
        "versions without a package",
        COUNT_ALL_VERSIONS,
        partial(delete_orphans, journal, progress),
    )
