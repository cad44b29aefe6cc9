"""Backup and restore of the three stores, as docs/operations.md describes them.

A fleet is in the middle of an ingestion. Its stores are saved, first Redis and last the graph, and
lost. A fleet on the restored stores completes the ingestion.
"""

import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pymongo
import pytest
from neo4j import Driver, GraphDatabase
from redis import Redis

from ssc_ingest.embedded import EmbeddedStack
from ssc_ingest.embedded.neo4j import Neo4jServer
from ssc_ingest.embedded.process import ProcessGroup
from ssc_ingest.embedded.progress import LineProgress
from ssc_ingest.embedded.valkey import ValkeyServer
from ssc_ingest.resources import open_state
from ssc_ingest.runs.lease import LEASE
from ssc_ingest.servers import Servers
from ssc_ingest.settings import load_settings
from tests.acceptance.endurance import assert_all_is_there
from tests.acceptance.fleet import LONG_ENOUGH, Fleet, eventually, wait_until
from tests.acceptance.outages import sweeping
from tests.acceptance.work import assert_nothing_is_left, settled
from tests.neo4j_admin import neo4j_admin, neo4j_server
from tests.ports import unused_port
from tests.servers import servers_of
from tests.simulator.client import Simulator

PACKAGES = 90

EXPIRED = -2
"""What Redis says of a key that is not there; -1 is said of one that never expires."""

WEAKNESS = {"id": "CWE-79"}
"""A document of another service."""


@pytest.fixture(scope="module")
def registries() -> Iterator[Simulator]:
    """Registries of few packages."""
    with Simulator.start(packages=PACKAGES, versions="1-4", requirements="0-3") as simulator:
        yield simulator


@dataclass(frozen=True, slots=True)
class Backup:
    """The saved files."""

    redis: Path
    """A file of ``BGSAVE``."""
    mongo: Path
    """The folder of a stopped server."""
    graph: Path
    """The folder of a dump."""
    directory: Path
    """A copy of ``DATA_DIR``, while nothing ran."""


@pytest.fixture(scope="module")
def backup(registries: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Backup:
    """Both kinds of backups of a fleet at work; its data are gone."""
    folder = tmp_path_factory.mktemp("backup")
    data = folder / "data"
    made = Backup(folder / "redis.rdb", folder / "mongo", folder / "graph", folder / "copy")
    registries.latency(300)
    with EmbeddedStack(load_settings(None, data_dir=data)) as stack:
        servers = servers_of(stack.start())
        with documents(servers) as client:
            client["vulnerabilities"]["cwes"].insert_one(dict(WEAKNESS))
        with GraphDatabase.driver(servers.graph_uri) as graph:
            with closing(Fleet(servers, registries.environment(), folder)) as fleet:
                fleet.environment |= {"RUN_HIGH_WATER": "20"}
                fleet.start()
                fleet.send("ingestion.ingest", ecosystem="pypi")
                wait_until(lambda: read(graph) >= PACKAGES / 6, LONG_ENOUGH)
                save(servers.redis_url)
                shutil.copy(data / "valkey" / "dump.rdb", made.redis)
                # The graph is newer than the positions in Redis.
                wait_until(lambda: read(graph) >= PACKAGES / 3, LONG_ENOUGH)
            assert read(graph) < PACKAGES
    shutil.copytree(data, made.directory)
    shutil.copytree(data / "mongo", made.mongo)
    made.graph.mkdir()
    neo4j_admin(data / "neo4j", "database", "dump", "neo4j", f"--to-path={made.graph}")
    shutil.rmtree(data)
    registries.latency(0)
    return made


def documents(servers: Servers) -> "pymongo.MongoClient[dict[str, Any]]":
    """A client of MongoDB."""
    return pymongo.MongoClient(servers.vulnerabilities_uri)


def read(graph: Driver) -> int:
    """The number of packages that the graph has with their versions."""
    (row,) = graph.execute_query("MATCH (p:PyPIPackage) RETURN count(p.moment) AS n").records
    return int(row["n"])


def save(redis_url: str) -> None:
    """``BGSAVE``; returns when the file is complete."""
    with Redis.from_url(redis_url) as redis:
        redis.bgsave()

        def is_saved() -> bool:
            persistence: Any = redis.info("persistence")
            assert persistence["rdb_last_bgsave_status"] == "ok"
            return not persistence["rdb_bgsave_in_progress"] and persistence["rdb_saves"] > 0

        wait_until(is_saved, LONG_ENOUGH)


def from_copy(backup: Backup, data: Path) -> None:
    """Copy ``DATA_DIR`` back."""
    assert backup.directory.stat().st_mode & 0o077 == 0
    shutil.copytree(backup.directory, data)


def one_by_one(backup: Backup, data: Path) -> None:
    """Restore each store with its own means."""
    shutil.copytree(backup.mongo, data / "mongo")
    restore_redis(backup.redis, data / "valkey")
    home = data / "neo4j"
    neo4j_server(Neo4jServer, home).command(unused_port())  # writes the configuration
    load = ("load", "neo4j", f"--from-path={backup.graph}", "--overwrite-destination")
    neo4j_admin(home, "database", *load)


def restore_redis(file: Path, folder: Path) -> None:
    """Start a server without append-only file on the saved one, and turn it on."""
    server = ValkeyServer(folder)
    server.prepare(LineProgress(lambda _: None))
    shutil.copy(file, folder / "dump.rdb")
    port = unused_port()
    with ProcessGroup() as group, Redis.from_url(server.uri(port)) as redis:
        child = group.start(server.name, [*server.command(port), "--appendonly", "no"])
        wait_until(partial(server.is_ready, port, child), LONG_ENOUGH, child.recent_output)
        redis.config_set("appendonly", "yes")

        def is_written() -> bool:
            persistence: Any = redis.info("persistence")
            assert persistence["aof_last_bgrewrite_status"] == "ok"
            scheduled = persistence["aof_rewrite_scheduled"]
            return not scheduled and not persistence["aof_rewrite_in_progress"]

        wait_until(is_written, LONG_ENOUGH)
        assert child.stop(grace=LONG_ENOUGH)


@pytest.mark.soak
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("restore", [one_by_one, from_copy])
async def test_a_fleet_works_on_with_restored_stores(
    backup: Backup, registries: Simulator, tmp_path: Path, restore: Callable[[Backup, Path], None]
) -> None:
    """The ingestion completes; nothing is lost or doubled."""
    restore(backup, tmp_path / "data")
    settings = load_settings(None, data_dir=tmp_path / "data")
    with EmbeddedStack(settings) as stack:
        servers = servers_of(stack.start())
        with documents(servers) as client:
            assert client["vulnerabilities"]["cwes"].find_one({}, {"_id": 0}) == WEAKNESS
        fleet = Fleet(servers, registries.environment(), tmp_path)
        with closing(fleet), GraphDatabase.driver(servers.graph_uri) as driver:
            assert PACKAGES / 3 <= read(driver) < PACKAGES
            async with open_state(settings, servers) as state:
                (run,) = await state.runs.newest(1)
                # The lease of the lost fleet is in the backup. It expires: do not wait for that.
                lease = f"run:{run.id}:lease"
                left = await state.redis.ttl(lease)
                assert left == EXPIRED or 0 <= left <= LEASE
                await state.redis.delete(lease)
                fleet.start()

                async def has_ended() -> bool:
                    return (await state.runs.newest(1))[0].ended

                async with sweeping(fleet):
                    await eventually(has_ended)
                (run,) = await state.runs.newest(1)
                assert run.state == "finished", run
                counts = run.metrics()
                done = counts["new_packages_ingested"] + counts["skipped_existing"]
                assert (counts["total_in_registry"], done) == (PACKAGES, PACKAGES)
                await settled(state)
                await assert_nothing_is_left(state)

            def cypher(query: str, **parameters: Any) -> list[dict[str, Any]]:
                return [row.data() for row in driver.execute_query(query, parameters).records]

            assert assert_all_is_there(cypher, registries, "pypi", "PyPIPackage") == PACKAGES
