"""``check`` about the streams of other services, and about the server that has them."""

import json
from urllib.parse import urlsplit

from ssc_ingest.cli.commands.stream_checks import other_redis
from ssc_ingest.resources import State
from tests.acceptance.outages import OwnRedis
from tests.acceptance.test_cli.running import NOWHERE, Run
from tests.acceptance.test_cli.test_fleet import whole_fleet


async def test_another_redis_under_their_name_is_a_warning(
    own_redis: OwnRedis, redis_url: str
) -> None:
    """Another Redis under the streams' name is a warning.

    There is no warning if nobody answers there, or if it is the stream's server under another name.
    """
    theirs, ours = urlsplit(own_redis.uri), urlsplit(redis_url)
    assert theirs.port
    assert ours.port
    found = await other_redis(f"{redis_url}/0", "127.0.0.1", theirs.port)
    assert found is not None
    assert found.outcome == "warning"
    assert f"STREAM_REDIS_URL=redis://127.0.0.1:{theirs.port}" in found.remedy
    assert await other_redis(f"{redis_url}/0", "localhost", ours.port) is None
    assert await other_redis(f"{own_redis.uri}/0", "127.0.0.1", theirs.port) is None
    assert await other_redis(f"{redis_url}/0", "no-such-host.invalid", 6379) is None
    assert await other_redis(f"{redis_url}/0", "127.0.0.1", 9) is None


async def test_streams_that_cannot_be_read(graph: None, state: State, run: Run) -> None:
    """A key of another type fails, a missing reader is a warning, a server that is away is 69."""
    await whole_fleet(state)
    assert run("check", "--offline").returncode == run("status").returncode == 0
    await state.streams.set("package_extraction", "x")
    await state.standings.readers.forget("package-extraction", "consumer-here-1")
    done = run("check", "--offline")
    assert done.returncode == run("status").returncode == 69
    assert "failed  stream package_extraction: cannot be read" in done.stdout
    assert "warning stream package-extraction: it has no reader; 0 unread" in done.stdout
    assert "failed  stream package-extraction: no process reads it" in done.stdout
    assert "nobody reads it" in run("status").stdout
    away = run("check", "--offline", STREAM_REDIS_URL=f"redis://user:secret@{NOWHERE}")
    assert away.returncode == 69
    assert "STREAM_REDIS_URL" in away.stdout
    assert "secret" not in away.stdout
    shown = run("status", "--json", STREAM_REDIS_URL=f"redis://user:secret@{NOWHERE}")
    assert shown.returncode == 69
    servers = json.loads(shown.stdout)["servers"]
    assert (servers["stream"]["reachable"], servers["redis"]["reachable"]) == (False, True)
    assert "secret" not in shown.stdout
