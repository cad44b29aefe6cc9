"""A command that uses only Redis does not import the graph, the registries or Celery."""

import os
from pathlib import Path

import pytest

from ssc_ingest.resources import State
from ssc_ingest.servers import Servers
from tests.acceptance.test_cli.running import NOWHERE
from tests.start_up import HEAVY, imported

EVERY_REGISTRY = {"ijson", "lxml", "packaging", "yaml", "ssc_ingest.ecosystems.pypi"}
"""What the registries' modules import: they parse, and are given a client."""

NEEDED: dict[str, set[str]] = {
    "extract pkg:npm/example": set(),
    "extract pkg:maven/group/example": {"lxml"},
    "registries list": EVERY_REGISTRY,
    "schedules list": EVERY_REGISTRY,
}
"""Commands that need something of the registries, and what they may import for that."""

ONLY_REDIS = {
    "cache list": 0,
    "dead-letters list": 0,
    "jobs list": 0,
    "jobs show none": 1,
    "runs list": 0,
    "runs pause none": 1,
    "runs show none": 1,
}
"""The commands, with their exit codes while there is no work."""


@pytest.mark.parametrize(("command", "code"), ONLY_REDIS.items())
async def test_redis_alone(
    state: State, redis_servers: Servers, command: str, code: int, tmp_path: Path
) -> None:
    """Such commands start in a third of the time that they would need with all clients."""
    environment = _environment(redis_servers)
    returned, modules = imported(*command.split(), folder=tmp_path, environment=environment)
    assert returned == code
    assert not modules & HEAVY


async def test_jobs_import_no_other_room(
    state: State, redis_servers: Servers, tmp_path: Path
) -> None:
    """Services are imported when they are first used: a list of jobs uses none of runs."""
    environment = _environment(redis_servers)
    _, modules = imported("jobs", "list", folder=tmp_path, environment=environment)
    assert "ssc_ingest.on_demand.jobs" in modules
    assert not modules & {"ssc_ingest.ecosystems", "ssc_ingest.runs", "ssc_ingest.control"}


@pytest.mark.parametrize(("command", "needed"), NEEDED.items())
async def test_registries_without_clients(
    state: State, redis_servers: Servers, command: str, needed: set[str], tmp_path: Path
) -> None:
    """Whoever publishes, or names registries, imports no HTTP client and no other registry."""
    environment = _environment(redis_servers)
    returned, modules = imported(*command.split(), folder=tmp_path, environment=environment)
    assert returned == 0
    assert not modules & (HEAVY - needed)


def _environment(servers: Servers) -> dict[str, str]:
    return {
        **os.environ,
        "REDIS_URL": servers.redis_url,
        "GRAPH_DB_URI": f"bolt://{NOWHERE}",
        "VULN_DB_URI": f"mongodb://{NOWHERE}",
    }
