"""Encrypted connections to all servers, and a password of Redis.

The embedded servers have no certificates, so proxies before them speak TLS; the clients' handshakes
and checks of certificates are the real ones.
"""

import ssl
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import trustme
from redis import Redis

from ssc_ingest.servers import Servers
from tests.acceptance.fleet import Fleet
from tests.acceptance.outages import OwnRedis
from tests.acceptance.proxy import proxy_to
from tests.acceptance.work import in_graph
from tests.conftest import Cypher
from tests.simulator.client import Simulator

PASSWORD = "a pass/word:with@signs"  # noqa: S105
QUOTED = "a%20pass%2Fword%3Awith%40signs"


@pytest.fixture
def authority() -> trustme.CA:
    """A certificate authority."""
    return trustme.CA()


@pytest.fixture
def encrypted(
    fleet: Fleet, own_redis: OwnRedis, servers: Servers, authority: trustme.CA, tmp_path: Path
) -> Iterator[Fleet]:
    """A fleet whose servers speak TLS only, and whose Redis has a password."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(tmp_path / "authority.pem")
    with Redis.from_url(own_redis.uri) as client:
        client.config_set("requirepass", PASSWORD)

    with ExitStack() as stack:

        def port(uri: str) -> int:
            return urlsplit(stack.enter_context(proxy_to(uri, context)).uri).port or 0

        fleet.environment |= {
            "SSL_CERT_FILE": str(tmp_path / "authority.pem"),
            "GRAPH_DB_URI": f"bolt+s://127.0.0.1:{port(servers.graph_uri)}",
            "REDIS_URL": f"rediss://:{QUOTED}@127.0.0.1:{port(own_redis.uri)}",
            "VULN_DB_URI": f"mongodb://127.0.0.1:{port(servers.vulnerabilities_uri)}"
            "/?directConnection=true&tls=true&serverSelectionTimeoutMS=3000",
        }
        yield fleet


async def test_encrypted_servers(encrypted: Fleet, simulator: Simulator, cypher: Cypher) -> None:
    """A worker and the commands work; the password is in no log and no output."""
    (package,) = simulator.packages("npm", 1, start=90)
    worker = encrypted.start()
    done = encrypted.run("extract", package.purl, "--dependencies", "none", "--wait")
    assert done.returncode == 0, done.stderr
    await in_graph(cypher, package.purl)
    status = encrypted.run("status")
    for server in ("bolt+s://127.0.0.1", "rediss://127.0.0.1", "mongodb://127.0.0.1"):
        assert server in status.stdout
    outputs = done.stdout + done.stderr + status.stdout + status.stderr + worker.log.read_text()
    assert PASSWORD not in outputs
    assert QUOTED not in outputs


def test_a_certificate_that_is_not_trusted(encrypted: Fleet) -> None:
    """No server is used, and the reason is named."""
    del encrypted.environment["SSL_CERT_FILE"]
    status = encrypted.run("status", "--json")
    assert status.returncode == 69
    assert status.stdout.count('"reachable": false') == 3
    assert "certificate verify failed" in status.stdout.lower()


def test_a_wrong_password(encrypted: Fleet) -> None:
    """A wrong password is a matter of configuration, and neither password is shown."""
    url = encrypted.environment["REDIS_URL"].replace(QUOTED, "wrong-one")
    done = encrypted.run("jobs", "list", REDIS_URL=url)
    assert done.returncode == 78
    assert "REDIS_PASSWORD" in done.stderr
    assert "wrong-one" not in done.stderr
