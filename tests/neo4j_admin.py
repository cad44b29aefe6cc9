"""``neo4j-admin`` of the embedded Neo4j's jars."""

import os
import subprocess
from pathlib import Path
from threading import Event

from ssc_ingest.embedded.jars import JarCache, read_lock
from ssc_ingest.embedded.java import find_java
from ssc_ingest.embedded.neo4j import Neo4jServer
from ssc_ingest.embedded.progress import LineProgress
from ssc_ingest.settings import load_settings
from tests.acceptance.fleet import LONG_ENOUGH


def neo4j_server(kind: type[Neo4jServer], home: Path) -> Neo4jServer:
    """A server with this home; its jars are there."""
    settings = load_settings(None)
    server = kind(
        home,
        cache=settings.cache_dir / "maven",
        maven_url=settings.embedded_maven_url,
        java_home=settings.java_home,
        cancelled=Event(),
    )
    server.prepare(LineProgress(lambda _: None))
    return server


def neo4j_admin(home: Path, *arguments: str) -> str:
    """Run it on a server's home; returns its output."""
    settings = load_settings(None)
    cache = JarCache(settings.cache_dir / "maven")
    classes = ":".join(str(cache.path(jar)) for jar in read_lock())
    done = subprocess.run(
        [str(find_java(settings.java_home)), "org.neo4j.cli.AdminTool", *arguments],
        env={
            **os.environ,
            "CLASSPATH": classes,
            "NEO4J_HOME": str(home),
            "NEO4J_CONF": str(home / "conf"),
            "LC_ALL": "C.UTF-8",  # Java decodes arguments with the locale
        },
        capture_output=True,
        text=True,
        timeout=LONG_ENOUGH,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr
