"""Request a package as a Celery task, and wait until the graph has it.

    python by_task.py npm express

Needs the packages celery and neo4j, and nothing of SSC Ingest: the task is sent by name to Celery's
default queue. REDIS_URL is the Redis of the fleet, GRAPH_DB_URI the graph. A request that fails is
in `ssc-ingest dead-letters list`.
"""

import os
import sys
import time

from celery import Celery
from neo4j import GraphDatabase

TIMEOUT = 120.0

TYPES = {"rubygems": "gem"}
"""The type in a purl, where it is not the name of the ecosystem."""

READ = "MATCH (p) WHERE p.purl STARTS WITH $type AND p.name = $name RETURN p.purl AS purl, p.moment AS moment"


def main() -> None:
    """Send the task and wait."""
    ecosystem, name = sys.argv[1:]
    app = Celery(broker=f"{os.environ['REDIS_URL']}/1")
    app.send_task(
        "extraction.extract_package",
        kwargs={"ecosystem": ecosystem, "name": name, "dependencies": "none"},
    )
    user, password = os.environ.get("GRAPH_DB_USER", "neo4j"), os.environ.get("GRAPH_DB_PASSWORD")
    driver = GraphDatabase.driver(
        os.environ["GRAPH_DB_URI"], auth=(user, password) if password else None
    )
    with driver:
        end = time.monotonic() + TIMEOUT
        while time.monotonic() < end:
            records, _, _ = driver.execute_query(
                READ, type=f"pkg:{TYPES.get(ecosystem, ecosystem)}/", name=name.lower()
            )
            if records and records[0]["moment"]:
                print("in the graph:", records[0]["purl"])
                return
            time.sleep(0.2)
    sys.exit(f"not within {TIMEOUT:g} s")


if __name__ == "__main__":
    main()
