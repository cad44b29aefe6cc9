"""The real embedded servers: they start, keep acknowledged writes, and stop."""

import os
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from threading import Event
from typing import Any
from urllib.parse import urlsplit
from zipfile import ZipFile

import psutil
import pytest
import redis

from ssc_ingest.embedded import EmbeddedStack, LineProgress
from ssc_ingest.embedded.jars import JarCache, read_lock
from ssc_ingest.embedded.mongo import MongoServer
from ssc_ingest.embedded.ports import LOOPBACK
from ssc_ingest.embedded.unsigned import SIGNATURE, unsigned
from ssc_ingest.embedded.valkey import ValkeyServer
from ssc_ingest.servers import LOCK_FILE, EmbeddedAddresses, Servers, is_held
from ssc_ingest.settings import Settings, load_settings
from tests.integration.test_embedded_stack.stacks import (
    NO_GRAPH,
    members,
    mongo,
    read_everywhere,
    start_elsewhere,
    write_everywhere,
)


def test_the_servers_answer(servers: Servers, cypher: Callable[..., list[dict[str, Any]]]) -> None:
    """A started stack has three servers that their clients can use, and APOC in Neo4j."""
    assert cypher("RETURN apoc.version() AS version")[0]["version"].startswith("5.26")
    with redis.Redis.from_url(servers.redis(3)) as client:
        assert client.ping()
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
    with mongo(servers.vulnerabilities_uri) as client_:
        assert client_.admin.command("ping")["ok"] == 1


def test_no_jar_of_the_class_path_is_signed(graph_uri: str) -> None:
    """Java would verify it a hundred times per start, and archive none of its classes."""
    cache = JarCache(load_settings(None).cache_dir / "maven")
    signatures: list[str] = []
    for jar in read_lock():
        with ZipFile(unsigned(jar, cache, Event())) as loaded:
            signatures += filter(SIGNATURE.fullmatch, loaded.namelist())
    assert signatures == []


@pytest.fixture
def own_cache(tmp_path: Path) -> Path:
    """A cache with the jars and without a class archive, with a space in its path."""
    cache = tmp_path / "my cache"
    cache.mkdir()
    jars = load_settings(None).cache_dir / "maven"
    jars.mkdir(parents=True, exist_ok=True)
    (cache / "maven").symlink_to(jars)
    return cache


@pytest.fixture
def user_cache() -> Path:
    """The cache of all tests, which may have a class archive."""
    return load_settings(None).cache_dir


@pytest.mark.parametrize("cache", ["user_cache", pytest.param("own_cache", marks=pytest.mark.soak)])
def test_data_survives_a_restart_and_a_kill_of_the_parent(
    data_dir: Path,
    parents: list["subprocess.Popen[str]"],
    cache: str,
    request: pytest.FixtureRequest,
) -> None:
    """All three servers have the same data after a stop and a start, and after a kill -9.

    A moment after the kill of their parent no server is left.
    """
    lines: list[str] = []
    cache_dir = request.getfixturevalue(cache)
    settings = load_settings(None, data_dir=data_dir, cache_dir=cache_dir)
    with EmbeddedStack(settings) as stack:
        write_everywhere(stack.start(LineProgress(lines.append)), 0)
        assert EmbeddedAddresses.read(data_dir) == stack.addresses
        group = stack.group
    assert members(group) == []
    assert EmbeddedAddresses.read(data_dir) is None
    assert data_dir.stat().st_mode & 0o077 == 0
    ready = {line.split()[0] for line in lines if " is ready at " in line}
    assert ready == {"Neo4j", "Valkey", "MongoDB"}

    parent, group = start_elsewhere(settings)
    parents.append(parent)
    addresses = EmbeddedAddresses.read(data_dir)
    assert addresses
    assert read_everywhere(addresses) == [[0], [0], [0]]
    assert len(members(group)) == 4  # three servers and the watchdog
    for value in range(1, 20):
        write_everywhere(addresses, value)
    parent.kill()
    deadline = time.monotonic() + 60
    while (members(group) or is_held(data_dir)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert members(group) == []
    assert EmbeddedAddresses.read(data_dir) is None

    with EmbeddedStack(settings) as stack:
        assert read_everywhere(stack.start()) == [list(range(20))] * 3
        # A first stop has recorded the classes that Java had loaded; later starts use them.
        java = psutil.Process(stack.processes["Neo4j"].pid).cmdline()
        (archive,) = (word.partition("=")[2] for word in java if "SharedArchiveFile" in word)
        assert Path(archive).parent == cache_dir / "java"
        assert Path(archive).is_file()


def test_stale_lock_is_not_refused(smallest: Settings) -> None:
    """A lock file without a holder is ignored, even if its process id is used again."""
    smallest.data_dir.mkdir(parents=True)
    (smallest.data_dir / LOCK_FILE).write_text(f"{os.getpid()} {os.getpgid(0)}\n")
    EmbeddedAddresses(redis_url="redis://127.0.0.1:1").write(smallest.data_dir)
    assert EmbeddedAddresses.read(smallest.data_dir) is None
    with EmbeddedStack(smallest) as stack:
        assert stack.start() == EmbeddedAddresses.read(smallest.data_dir)


def test_configured_servers_are_not_started(data_dir: Path) -> None:
    """A configured server is not started; if all three are, nothing is created."""
    configured = {"redis_host": "redis.example", "vuln_db_uri": "mongodb://mongo.example"}
    with EmbeddedStack(load_settings(None, data_dir=data_dir, **NO_GRAPH, **configured)) as stack:
        assert stack.start() == EmbeddedAddresses()
    assert not data_dir.exists()
    del configured["redis_host"]
    with EmbeddedStack(load_settings(None, data_dir=data_dir, **NO_GRAPH, **configured)) as stack:
        addresses = stack.start()
        assert addresses.redis_url
        assert (addresses.graph_uri, addresses.vulnerabilities_uri) == (None, None)
        assert len(members(stack.group)) == 2  # Valkey and the watchdog


def test_output_of_the_servers(smallest: Settings) -> None:
    """The output of the servers is passed on, line by line, with the server's name."""
    lines: list[tuple[str, str]] = []
    with EmbeddedStack(smallest, on_line=lambda name, line: lines.append((name, line))) as stack:
        stack.start()
    assert ("Valkey", True) in {
        (name, "Ready to accept connections" in line) for name, line in lines
    }


def test_standard_ports_are_taken(small: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """If another program uses the standard ports, the servers choose others."""
    with socket.socket() as first, socket.socket() as second:
        taken = []
        # Ports that surely stay taken: the owner of the real ones may end meanwhile.
        for other, server in ((first, ValkeyServer), (second, MongoServer)):
            other.bind((LOOPBACK, 0))
            other.listen()
            taken.append(other.getsockname()[1])
            monkeypatch.setattr(server, "standard_port", taken[-1])
        with EmbeddedStack(small) as stack:
            addresses = stack.start()
            assert urlsplit(str(addresses.redis_url)).port not in taken
            assert urlsplit(str(addresses.vulnerabilities_uri)).port not in taken
            with redis.Redis.from_url(str(addresses.redis_url)) as client:
                assert client.info("server")["process_id"] == stack.processes["Valkey"].pid
