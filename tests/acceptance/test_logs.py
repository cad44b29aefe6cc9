"""The log: each line names its task."""

import json
from typing import Any

from ssc_ingest.resources import State
from ssc_ingest.work.messages import TaskMessage
from ssc_ingest.work.names import EXTRACT
from tests.acceptance.fleet import Fleet, WorkerProcess, eventually
from tests.simulator.client import Simulator

OF_THE_PROCESS = {"worker_stopping", "writer_closed", "waiting_for_store"}


def lines(worker: WorkerProcess) -> list[dict[str, Any]]:
    """The lines of our code, without Celery's own."""
    text = worker.log.read_text()
    complete = text[: text.rfind("\n") + 1].splitlines()
    written = [line for line in complete if line.startswith("{")]
    decoded = [json.loads(line) for line in written]
    return [line for line in decoded if line["logger"].startswith(("ssc_ingest", "workers"))]


async def test_every_line_names_its_task(fleet: Fleet, simulator: Simulator, state: State) -> None:
    """Lines have task, ecosystem and package, also with many concurrent tasks, on any thread."""
    fleet.environment |= {"LOG_FORMAT": "json", "LOG_LEVEL": "DEBUG"}
    packages = {
        (ecosystem, package.name): package.purl
        for ecosystem in ("pypi", "npm", "maven")
        for package in simulator.packages(ecosystem, 8, start=30)
    }
    packages["npm", "no-such-package"] = "pkg:npm/no-such-package"
    (slow, *_) = simulator.packages("npm", 1, start=30)
    simulator.fault("status", package=slow.purl, status=429, retry_after="1", times=1)
    messages = [
        TaskMessage(
            task=EXTRACT,
            queue=f"{ecosystem}.urgent",
            kwargs={"ecosystem": ecosystem, "name": name, "dependencies": "none", "colour": "red"},
        )
        for ecosystem, name in packages
    ]
    expected = {
        message.task_id: (message.kwargs["ecosystem"], purl)
        for message, purl in zip(messages, packages.values(), strict=True)
    }
    await state.queues.publish(messages)
    worker = fleet.start()

    async def all_have_ended() -> bool:
        # By the log, not by the queues: a message may move behind the back of one who counts them.
        # An attempt that was cut off after its commit leaves the next one nothing to extract.
        failed = {line["task_id"] for line in lines(worker) if line["event"] == "package_failed"}
        written = worker.log.read_text()
        return all(f"[{task_id}] succeeded in " in written for task_id in expected.keys() - failed)

    await eventually(all_have_ended)
    assert worker.terminate() == 0
    of_work = [line for line in lines(worker) if line["event"] not in OF_THE_PROCESS]
    for line in of_work:
        assert (line["ecosystem"], line["package"]) == expected[line["task_id"]], line
    events = {line["event"] for line in of_work}
    assert {"unknown_arguments", "package_delayed", "package_failed", "package_extracted"} <= events
