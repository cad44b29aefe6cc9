"""Request a package through the Redis stream, and wait until the graph has it.

    python by_stream.py PyPIPackage rich

Needs the packages redis and neo4j, and nothing of SSC Ingest. REDIS_URL is the Redis with the
stream, GRAPH_DB_URI the graph. Exits with 1 if the request became a dead letter.
"""

import json
import os
import sys
import time

from neo4j import GraphDatabase
from redis import Redis

STREAM = "package-extraction"
TIMEOUT = 120.0

READ = "MATCH (p) WHERE $label IN labels(p) AND p.name = $name RETURN p.purl AS purl, p.moment AS moment"


def main() -> None:
    """Send the request and wait."""
    label, name = sys.argv[1:]
    user, password = os.environ.get("GRAPH_DB_USER", "neo4j"), os.environ.get("GRAPH_DB_PASSWORD")
    driver = GraphDatabase.driver(
        os.environ["GRAPH_DB_URI"], auth=(user, password) if password else None
    )
    redis = Redis.from_url(os.environ["REDIS_URL"], db=0, decode_responses=True)
    with driver, redis:
        # Dead letters of earlier requests do not count.
        last = redis.xrevrange(f"{STREAM}-dlq", count=1)
        seen = last[0][0] if last else "0"
        request = json.dumps({"node_type": label, "package": name})
        print("requested:", redis.xadd(STREAM, {"data": request}))
        end = time.monotonic() + TIMEOUT
        while time.monotonic() < end:
            records, _, _ = driver.execute_query(READ, label=label, name=name.lower())
            # A stub has no moment: the package was required, but not read yet.
            if records and records[0]["moment"]:
                print("in the graph:", records[0]["purl"])
                return
            for entry, letter in redis.xrange(f"{STREAM}-dlq", min=f"({seen}"):
                seen = entry
                if letter["data"] == request:
                    sys.exit(f"dead letter: {letter['error']}")
            time.sleep(0.2)
    sys.exit(f"not within {TIMEOUT:g} s")


if __name__ == "__main__":
    main()
