"""Flower shows a task with one merged event as it shows one with three."""

import subprocess
import sys

PROBE = """
import copy
from prometheus_client import REGISTRY
from workers.overrides.events import merged
from workers.overrides.flower_tasks import readable, show_tasks_readably

show_tasks_readably()
from flower.events import EventsState

KWARGS = "{'ecosystem': 'npm', 'name': 'six', 'dependencies': 'none'}"
SHOWN = (
    "name args kwargs state received started succeeded timestamp runtime result exception"
    " traceback root_id retries"
).split()


def event(kind, task, moment, **fields):
    facts = {"hostname": "w@x", "local_received": moment, "clock": int(moment), "pid": 1}
    return {"type": f"task-{kind}", "uuid": task, "timestamp": moment, **facts, **fields}


def received(task, moment):
    named = {"name": "extraction.extract_package", "args": "()", "kwargs": KWARGS}
    return event("received", task, moment, **named, root_id=task, retries=0, eta=None)


def counted():
    return {
        (sample.name, *sample.labels.values()): sample.value
        for metric in REGISTRY.collect()
        for sample in metric.samples
        if sample.name.startswith("flower") and not sample.name.endswith("_created")
    }


def shown(merge):
    state = EventsState(max_tasks_in_memory=100)
    state.event(received("again", 50.0))
    state.event(event("failed", "again", 51.0, exception="E('x')", traceback="a traceback"))
    before = counted()
    for task in ("again", "new"):
        whole = [received(task, 100.0), event("started", task, 101.0)]
        whole.append(event("succeeded", task, 102.0, result="'done'", runtime=0.9))
        for each in merge(whole):
            state.event(copy.deepcopy(each))
    change = {key: value - before.get(key, 0) for key, value in counted().items()}
    tasks = [[getattr(state.tasks[task], name) for name in SHOWN] for task in ("again", "new")]
    return tasks, dict(state.counter["w@x"]), state.task_count, readable(state.tasks["new"]).args, {
        key: value for key, value in change.items() if value
    }


one, three = shown(merged), shown(list)
assert one == three, (one, three)
print(one[1])
"""


def test_flower_shows_and_counts_the_same() -> None:
    """Its rows, the counters of its workers and its metrics; also of a task that failed before."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PROBE], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "'task-started': 2" in done.stdout
