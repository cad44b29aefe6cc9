"""The addresses of the servers: configured, or from a running stack."""

import fcntl
from collections.abc import Iterator
from pathlib import Path

import pytest

from ssc_ingest.errors import ConfigurationError, ServersStarting
from ssc_ingest.servers import (
    LOCK_FILE,
    STACK_FILE,
    EmbeddedAddresses,
    configured_redis_url,
    locate,
    without_credentials,
)
from ssc_ingest.settings import load_settings

ADDRESSES = EmbeddedAddresses(
    graph_uri="bolt://127.0.0.1:7687",
    redis_url="redis://127.0.0.1:6379",
    vulnerabilities_uri="mongodb://127.0.0.1:27017/?directConnection=true",
)


@pytest.fixture
def running_stack(tmp_path: Path) -> Iterator[Path]:
    """A locked data directory, like that of a running stack."""
    with (tmp_path / LOCK_FILE).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        ADDRESSES.write(tmp_path)
        yield tmp_path


def test_addresses_are_found_in_the_data_directory(running_stack: Path) -> None:
    """A second process reads the addresses that the stack has published."""
    assert EmbeddedAddresses.read(running_stack) == ADDRESSES


def test_addresses_are_for_this_user_only(running_stack: Path) -> None:
    """Other users of the machine cannot read the addresses."""
    assert (running_stack / STACK_FILE).stat().st_mode & 0o077 == 0


def test_removed_addresses_are_gone(running_stack: Path) -> None:
    """A stopped stack publishes nothing; removing twice does no harm."""
    EmbeddedAddresses.remove(running_stack)
    EmbeddedAddresses.remove(running_stack)
    assert EmbeddedAddresses.read(running_stack) is None


def test_addresses_of_a_killed_stack_do_not_count(tmp_path: Path) -> None:
    """Files without a lock were left behind by a killed stack."""
    (tmp_path / LOCK_FILE).touch()
    ADDRESSES.write(tmp_path)
    assert EmbeddedAddresses.read(tmp_path) is None


def test_no_stack_has_ever_run(tmp_path: Path) -> None:
    """An empty or missing data directory has no addresses."""
    assert EmbeddedAddresses.read(tmp_path) is None
    assert EmbeddedAddresses.read(tmp_path / "absent") is None


def test_locate_takes_the_embedded_servers(running_stack: Path) -> None:
    """Servers without configuration come from the running stack, without credentials."""
    servers = locate(load_settings(None, data_dir=running_stack))
    assert servers.graph_uri == ADDRESSES.graph_uri
    assert servers.graph_auth is None
    assert servers.redis(2) == "redis://127.0.0.1:6379/2"
    assert servers.vulnerabilities_uri == ADDRESSES.vulnerabilities_uri


def test_configured_servers_win(running_stack: Path) -> None:
    """A configured address is used with its credentials, even if an embedded server runs."""
    servers = locate(
        load_settings(
            None,
            data_dir=running_stack,
            graph_db_uri="bolt://graph:7687",
            graph_db_password="secret",  # noqa: S106
            redis_url="rediss://user:secret@redis:6380?ssl_cert_reqs=none",
            vuln_db_uri="mongodb://user:secret@mongo:27017/admin",
        )
    )
    assert servers.graph_uri == "bolt://graph:7687"
    assert servers.graph_auth == ("neo4j", "secret")
    assert servers.redis(1) == "rediss://user:secret@redis:6380/1?ssl_cert_reqs=none"
    assert servers.vulnerabilities_uri == "mongodb://user:secret@mongo:27017/admin"


def test_a_data_directory_out_of_reach(tmp_path: Path) -> None:
    """The data directory is not read if all servers are configured.

    Otherwise the error names the setting.
    """
    out_of_reach = tmp_path / "file" / "data"
    (tmp_path / "file").touch()
    configured = {
        "graph_db_uri": "bolt://graph",
        "redis_url": "redis://redis",
        "vuln_db_uri": "mongodb://mongo",
    }
    locate(load_settings(None, data_dir=out_of_reach, **configured))
    del configured["redis_url"]
    with pytest.raises(ConfigurationError, match=r"^DATA_DIR=.* cannot be read"):
        locate(load_settings(None, data_dir=out_of_reach, **configured))


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    """The error names every missing server, its setting and the command."""
    with pytest.raises(ConfigurationError) as raised:
        locate(load_settings(None, data_dir=tmp_path, graph_db_uri="bolt://graph:7687"))
    text = str(raised.value)
    assert "GRAPH_DB_URI" not in text
    assert "REDIS_HOST" in text
    assert "VULN_DB_URI" in text
    assert "ssc-ingest up" in text


def test_servers_that_start(running_stack: Path) -> None:
    """Until the stack has published addresses, the error says so, and nothing about settings."""
    EmbeddedAddresses.remove(running_stack)
    with pytest.raises(ServersStarting) as raised:
        locate(load_settings(None, data_dir=running_stack))
    assert "are starting" in str(raised.value)
    assert "GRAPH_DB_URI" not in str(raised.value)


def test_redis_url_from_its_parts() -> None:
    """Host, port, user and password make one URL, with special characters quoted."""
    settings = load_settings(
        None,
        redis_host="redis",
        redis_port=6380,
        redis_username="in:gest",
        redis_password="p@ss/word",  # noqa: S106
    )
    assert configured_redis_url(settings) == "redis://in%3Agest:p%40ss%2Fword@redis:6380"


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("redis://user:secret@host:6379/1", "redis://host:6379/1"),
        ("redis://host:6379?password=secret", "redis://host:6379"),
        ("mongodb://user:p%40ss@a:1,b:2/admin?authSource=x", "mongodb://a:1,b:2/admin"),
        ("bolt://host:7687", "bolt://host:7687"),
    ],
)
def test_credentials_are_taken_out(uri: str, shown: str) -> None:
    """A shown address has no user, password or options."""
    assert without_credentials(uri) == shown
