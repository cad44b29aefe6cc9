"""Stacks of embedded servers: start them elsewhere, look at their processes and their data."""

import json
import os
import subprocess
import sys
from typing import Any

import psutil
import pymongo
import redis
from neo4j import GraphDatabase

from ssc_ingest.servers import EmbeddedAddresses
from ssc_ingest.settings import Settings

# A stack without its slowest server, for tests that are not about it.
NO_GRAPH = {"graph_db_uri": "bolt://graph.example:7687"}

# Only Valkey, which starts at once, for tests in which one server is enough.
ONLY_VALKEY = {**NO_GRAPH, "vuln_db_uri": "mongodb://mongo.example"}

# Runs a stack until it is killed; prints its process group.
PARENT = """
import json, sys, time
from ssc_ingest.embedded import EmbeddedStack
from ssc_ingest.settings import load_settings

with EmbeddedStack(load_settings(None, **json.loads(sys.argv[1]))) as stack:
    stack.start()
    print(stack.group, flush=True)
    time.sleep(600)
"""


def start_elsewhere(settings: Settings) -> tuple["subprocess.Popen[str]", int]:
    """Run a stack in another process; the process and the group of its servers."""
    given = {
        "data_dir": str(settings.data_dir),
        "cache_dir": str(settings.cache_dir),
        "graph_db_uri": settings.graph_db_uri,
        "vuln_db_uri": settings.vuln_db_uri and settings.vuln_db_uri.get_secret_value(),
    }
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, json.dumps(given)], stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout
    return parent, int(parent.stdout.readline())


def members(group: int) -> list[str]:
    """The names of the living processes of a process group."""
    found = []
    for process in psutil.process_iter(["name", "status"]):
        try:
            same = os.getpgid(process.pid) == group
        except ProcessLookupError:
            continue
        if same and process.info["status"] != psutil.STATUS_ZOMBIE:
            found.append(process.info["name"])
    return found


def mongo(uri: str | None) -> "pymongo.MongoClient[dict[str, Any]]":
    """A client of the MongoDB-protocol server."""
    return pymongo.MongoClient(uri, serverSelectionTimeoutMS=2000)


def write_everywhere(addresses: EmbeddedAddresses, value: int) -> None:
    """Add a value to each of the three servers."""
    assert addresses.graph_uri
    assert addresses.redis_url
    with GraphDatabase.driver(addresses.graph_uri) as driver:
        driver.execute_query("CREATE (:Kept {value: $value})", value=value)
    with redis.Redis.from_url(addresses.redis_url) as client:
        client.rpush("kept", value)
    with mongo(addresses.vulnerabilities_uri) as client_:
        client_.test.kept.insert_one({"value": value})


def read_everywhere(addresses: EmbeddedAddresses) -> list[list[int]]:
    """The contents of the three servers."""
    assert addresses.graph_uri
    assert addresses.redis_url
    with GraphDatabase.driver(addresses.graph_uri) as driver:
        rows = driver.execute_query("MATCH (n:Kept) RETURN n.value AS value ORDER BY value")
        nodes = [row["value"] for row in rows.records]
    with redis.Redis.from_url(addresses.redis_url) as client:
        entries = [int(value) for value in client.lrange("kept", 0, -1)]
    with mongo(addresses.vulnerabilities_uri) as client_:
        documents = [document["value"] for document in client_.test.kept.find().sort("value")]
    return [nodes, entries, documents]
