"""Servers that demand a password."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pymongo
from neo4j import GraphDatabase
from neo4j.exceptions import DriverError, Neo4jError
from pymongo.errors import PyMongoError

from ssc_ingest.embedded.mongo import MongoServer
from ssc_ingest.embedded.neo4j import Neo4jServer
from ssc_ingest.embedded.process import ChildProcess, ProcessGroup
from ssc_ingest.embedded.progress import LineProgress
from tests.acceptance.fleet import LONG_ENOUGH, wait_until
from tests.neo4j_admin import neo4j_admin, neo4j_server
from tests.ports import unused_port

PASSWORD = "a pass/word:with@signs%and?Umläuten#"  # noqa: S105
QUOTED = quote(PASSWORD, safe="")
USER = "ssc ingest@home"
"""The user in MongoDB; the community edition's Neo4j starts with one user, ``neo4j``."""


class GuardedNeo4j(Neo4jServer):
    """Neo4j, whose user ``neo4j`` has the password."""

    auth = ("neo4j", PASSWORD)

    def command(self, port: int) -> Sequence[str]:
        """The same server, with authentication."""
        command = super().command(port)
        file = self._home / "conf" / "neo4j.conf"
        text = file.read_text()
        assert "auth_enabled=false" in text
        text = text.replace("auth_enabled=false", "auth_enabled=true")
        # Otherwise a test of wrong passwords would lock the user.
        file.write_text(f"{text}dbms.security.auth_max_failed_attempts=0\n")
        return command

    def is_ready(self, port: int, child: ChildProcess) -> bool:
        """Whether it lets our user in."""
        if "Started." not in child.recent_output():
            return False
        with GraphDatabase.driver(self.uri(port), auth=self.auth) as driver:
            try:
                driver.execute_query("RETURN 1")
            except (DriverError, Neo4jError):
                return False
        return True


@contextmanager
def guarded_neo4j(home: Path) -> Iterator[str]:
    """The address of a Neo4j that demands the password."""
    server = neo4j_server(GuardedNeo4j, home)
    port = unused_port()
    server.command(port)  # writes the configuration
    neo4j_admin(home, "dbms", "set-initial-password", PASSWORD)
    with ProcessGroup() as group:
        child = group.start(server.name, server.command(port))
        wait_until(partial(server.is_ready, port, child), LONG_ENOUGH, child.recent_output)
        yield server.uri(port)


@contextmanager
def guarded_mongo(folder: Path) -> Iterator[str]:
    """The address, with credentials, of a MongoDB that demands the password."""
    server = MongoServer(folder)
    server.prepare(LineProgress(lambda _: None))
    port = unused_port()
    with ProcessGroup() as group:
        child = group.start(server.name, server.command(port))
        wait_until(partial(server.is_ready, port, child), LONG_ENOUGH, child.recent_output)
        client: pymongo.MongoClient[dict[str, Any]] = pymongo.MongoClient(server.uri(port))
        with client:
            client["admin"].command("createUser", USER, pwd=PASSWORD, roles=["root"])
        child.stop(grace=server.stop_grace)
        child = group.start(server.name, [*server.command(port), "--auth"])
        address = f"{quote(USER, safe='')}:{QUOTED}@127.0.0.1:{port}/admin?directConnection=true"
        client = pymongo.MongoClient(f"mongodb://{address}")

        def lets_us_in() -> bool:
            try:
                return bool(client["vulnerabilities"]["probe"].find_one() is None)
            except PyMongoError:
                return False

        with client:
            wait_until(lets_us_in, LONG_ENOUGH, child.recent_output)
        yield f"mongodb://{address}"
