"""Programs beside the workers: what their work and their end leave behind."""

import asyncio
import json
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from subprocess import Popen

import pytest
from celery import Celery
from redis import Redis

from ssc_ingest.ecosystems import ecosystems
from ssc_ingest.resources import State
from ssc_ingest.work.names import queue_names, work_queues
from tests.acceptance.fleet import LONG_ENOUGH, Fleet, eventually, wait_until
from tests.acceptance.forks import Fork, start
from tests.acceptance.test_flower import flower
from tests.acceptance.work import finished
from tests.ports import unused_port
from tests.simulator.client import Simulator

TASKS = 100

ENDS = (signal.SIGTERM, signal.SIGKILL)


@contextmanager
def bystanders(fleet: Fleet, folder: Path) -> Iterator[list["Fork | Popen[bytes]"]]:
    """Flower, beat and a command that watches, when all three work."""
    folder.mkdir()
    environment = {**fleet.environment, "FLOWER_PORT": str(unused_port())}
    log = folder / "log"
    commands = {
        "beat_": ("celery", "-A", "workers", "beat"),
        "freshness": ("ssc-ingest", "status", "--watch"),
    }
    with ExitStack() as stack:
        shown = stack.enter_context(flower(folder, environment))
        processes = [shown.process]
        for output, (program, *arguments) in commands.items():
            process = start(program, arguments, environment=environment, folder=folder, output=log)
            stack.callback(process.kill)
            processes.append(process)
            wait_until(lambda text=output: text in log.read_text(), LONG_ENOUGH, log.read_text)  # type: ignore[misc]
        shown.wait_until_it_listens()
        yield processes


@pytest.mark.soak
async def test_their_end_returns_no_running_task(
    fleet: Fleet, simulator: Simulator, state: State, tmp_path: Path
) -> None:
    """They end while a hundred tasks run, in order and killed; every task runs once."""
    fleet.environment |= {
        "WORKER_CONCURRENCY": str(TASKS),
        "TASK_TIMEOUT": "60",
        "HTTP_TIMEOUT_DEFAULT": "60",
        "VISIBILITY_TIMEOUT": "600",
        "SCHEDULES": "own",
    }
    purls = [package.purl for package in simulator.packages("npm", TASKS, start=200)]
    worker = fleet.start(*work_queues(["npm"]))
    with ExitStack() as stack:
        groups = [stack.enter_context(bystanders(fleet, tmp_path / end.name)) for end in ENDS]
        simulator.latency(40_000)
        submit = fleet.run("extract", *purls, "--dependencies", "none", "--json")
        job_id = json.loads(submit.stdout)["job_id"]

        async def all_run() -> bool:
            return len(await asyncio.to_thread(fleet.active)) == TASKS

        await eventually(all_run)
        for end, group in zip(ENDS, groups, strict=True):
            for process in group:
                process.send_signal(end)
        for group in groups:
            for process in group:
                await asyncio.to_thread(process.wait, LONG_ENOUGH)
        assert await state.queues.lengths(["npm.urgent"]) == {"npm.urgent": 0}
    simulator.latency(0)
    job = await finished(state, job_id)
    assert job.counts["extracted"] == TASKS
    log = worker.log.read_text
    wait_until(lambda: log().count("succeeded in") >= TASKS, LONG_ENOUGH, log)
    assert await asyncio.to_thread(worker.terminate) == 0
    assert log().count("succeeded in") == TASKS


LASTING = {
    *queue_names(ecosystems()),
    *("unacked", "unacked_index", "delayed", "delayed:messages", "malformed"),
}
"""Keys of the queues' database that do not expire."""

BINDINGS = "_kombu.binding"
"""Beginning of keys of kombu about the queues of each exchange."""

COUNTS = {"set": "SCARD", "zset": "ZCARD", "hash": "HLEN"}
"""The command that counts the members of a key, by its type."""


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_inspections_and_kills_leave_no_keys(fleet: Fleet, redis_url: str) -> None:
    """A thousand clients inspect twenty workers, which are killed."""
    for number in range(20):
        worker = fleet.start(name=f"worker-{number}@test")
        for _ in range(50):
            with Celery(broker=f"{redis_url}/1") as client:
                assert client.control.inspect(timeout=LONG_ENOUGH, limit=1).ping()
        worker.kill()
    with Redis.from_url(f"{redis_url}/1", decode_responses=True) as broker:
        lasting = {key for key in broker.scan_iter(count=1000) if broker.ttl(key) == -1}
        bindings = {key for key in lasting if key.startswith(BINDINGS)}
        assert lasting - bindings <= LASTING
        sizes = {key: broker.execute_command(COUNTS[broker.type(key)], key) for key in bindings}
        assert max(sizes.values()) < 100, sizes
