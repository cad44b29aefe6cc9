"""A command that uses only Redis does not import the graph, the registries or Celery."""

import os
from pathlib import Path

import pytest

from ssc_ingest.resources import State
from ssc_ingest.servers import Servers
from tests.acceptance.test_cli.running import NOWHERE
from tests.start_up import HEAVY, imported

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
    environment = {
        **os.environ,
        "REDIS_URL": redis_servers.redis_url,
        "GRAPH_DB_URI": f"bolt://{NOWHERE}",
        "VULN_DB_URI": f"mongodb://{NOWHERE}",
    }
    returned, modules = imported(*command.split(), folder=tmp_path, environment=environment)
    assert returned == code
    assert not modules & HEAVY
