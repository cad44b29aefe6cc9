"""The containers' health check, as Docker runs it."""

import os
import socket
import subprocess
import sys
import time

from ssc_ingest.monitoring.heartbeats import Beat, Worker, beat, sign_off
from ssc_ingest.resources import State
from ssc_ingest.servers import Servers


def check(
    servers: Servers, redis_url: str | None = None, kind: str = "worker"
) -> subprocess.CompletedProcess[str]:
    """Run the check against the test servers."""
    return subprocess.run(
        [sys.executable, "-m", "ssc_ingest.health", kind],
        capture_output=True, text=True, check=False,
        env={**os.environ, "REDIS_URL": redis_url or servers.redis_url,
             "GRAPH_DB_URI": servers.graph_uri, "VULN_DB_URI": servers.vulnerabilities_uri},
    )  # fmt: skip


async def test_worker_of_this_machine_is_healthy(state: State, servers: Servers) -> None:
    """Heartbeats of another machine and of a stopped worker do not count."""

    def worker(name: str) -> Worker:
        return Worker(hostname=name, pid=1, queues=("a",), concurrency=1, started_at=time.time())

    mine = f"pypi@{socket.gethostname()}"
    await beat(state.redis, worker("pypi@elsewhere"), running=0)
    alone = check(servers)
    assert alone.returncode == 1
    assert f"no worker of {socket.gethostname()}" in alone.stderr
    await beat(state.redis, worker(mine), running=3)
    healthy = check(servers)
    assert (healthy.returncode, healthy.stdout) == (0, f"{mine}\n")
    await sign_off(state.redis, mine)
    assert check(servers).returncode == 1


def test_unreachable_redis_is_unhealthy(servers: Servers) -> None:
    """One line says why Redis is unreachable, without a traceback."""
    unhealthy = check(servers, redis_url="redis://127.0.0.1:9")
    assert unhealthy.returncode == 1
    assert "127.0.0.1:9" in unhealthy.stderr
    assert "Traceback" not in unhealthy.stderr


async def test_a_deaf_worker_is_unhealthy(state: State, servers: Servers) -> None:
    """A deaf worker has a heartbeat, but takes no messages from its queues."""
    mine = f"pypi@{socket.gethostname()}"
    worker = Worker(hostname=mine, pid=1, queues=("a",), concurrency=1, started_at=time.time())
    await beat(state.redis, worker, running=0, stalled_for=3600)
    deaf = check(servers)
    assert deaf.returncode == 1
    assert f"{mine} has taken no messages from its queues for 3600 s" in deaf.stderr
    await beat(state.redis, worker, running=0, stalled_for=60)
    assert check(servers).returncode == 0


async def test_beat_is_healthy_while_it_checks_the_schedule(state: State, servers: Servers) -> None:
    """A standby beat counts; a worker and another machine's beat do not."""
    here = socket.gethostname()
    worker = Worker(hostname=f"a@{here}", pid=1, queues=(), concurrency=1, started_at=0)
    await beat(state.redis, worker)

    def a_beat(hostname: str) -> Beat:
        return Beat(hostname=hostname, pid=7, leads=False, schedules=(), seen_at=time.time())

    await state.redis.set(a_beat("elsewhere").key, a_beat("elsewhere").encode())
    assert check(servers, kind="beat").returncode == 1
    await state.redis.set(a_beat(here).key, a_beat(here).encode())
    assert check(servers, kind="beat").returncode == 0
