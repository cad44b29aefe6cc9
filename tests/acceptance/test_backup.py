"""Backup and restore of the three stores, as docs/operations.md describes it."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pymongo
import redis
from neo4j import GraphDatabase

from ssc_ingest.embedded import EmbeddedStack
from ssc_ingest.servers import EmbeddedAddresses
from ssc_ingest.settings import load_settings
from ssc_ingest.work.messages import TaskMessage
from ssc_ingest.work.names import EXTRACT

PURL = "pkg:npm/before"
WAITING = TaskMessage(
    task=EXTRACT,
    queue="npm.bulk",
    kwargs={"ecosystem": "npm", "name": "waiting", "dependencies": "none"},
).encode()


def write(addresses: EmbeddedAddresses) -> None:
    """A node, a queued message, a switched-off schedule and an advisory."""
    assert addresses.graph_uri
    assert addresses.redis_url
    with GraphDatabase.driver(addresses.graph_uri) as driver:
        driver.execute_query("CREATE (:NPMPackage {purl: $purl, name: 'before'})", purl=PURL)
    with redis.Redis.from_url(f"{addresses.redis_url}/1") as broker:
        broker.lpush("npm.bulk", WAITING)
    with redis.Redis.from_url(f"{addresses.redis_url}/2") as state:
        state.hset("feed:npm", mapping={"cursor": "12345"})
    client: pymongo.MongoClient[dict[str, Any]] = pymongo.MongoClient(addresses.vulnerabilities_uri)
    with client:
        client["vulnerabilities_db"]["vulnerabilities"].insert_one({"id": "CVE-1"})


def read(addresses: EmbeddedAddresses) -> Mapping[str, Any]:
    """The same, as it is stored."""
    assert addresses.graph_uri
    assert addresses.redis_url
    with GraphDatabase.driver(addresses.graph_uri) as driver:
        rows = driver.execute_query("MATCH (p:NPMPackage) RETURN p.purl AS purl").records
    with redis.Redis.from_url(f"{addresses.redis_url}/1") as broker:
        queue = broker.lrange("npm.bulk", 0, -1)
    with redis.Redis.from_url(f"{addresses.redis_url}/2") as state:
        feed = state.hgetall("feed:npm")
    client: pymongo.MongoClient[dict[str, Any]] = pymongo.MongoClient(addresses.vulnerabilities_uri)
    with client:
        advisories = client["vulnerabilities_db"]["vulnerabilities"].count_documents({})
    return {
        "purls": [row["purl"] for row in rows],
        "queue": queue,
        "feed": feed,
        "advisories": advisories,
    }


def test_a_copy_of_the_data_directory_is_a_backup(tmp_path: Path) -> None:
    """Copied while nothing runs, and started elsewhere after the original is lost."""
    with EmbeddedStack(load_settings(None, data_dir=tmp_path / "data")) as stack:
        addresses = stack.start()
        write(addresses)
        expected = read(addresses)
    shutil.copytree(tmp_path / "data", tmp_path / "backup")
    shutil.rmtree(tmp_path / "data")
    with EmbeddedStack(load_settings(None, data_dir=tmp_path / "backup")) as stack:
        assert read(stack.start()) == expected
    assert expected["queue"] == [WAITING.encode()]
    assert json.loads(WAITING)["headers"]["task"] == EXTRACT
    assert expected["advisories"] == 1
    assert expected["purls"] == [PURL]
    assert (tmp_path / "backup").stat().st_mode & 0o077 == 0
