"""The queue of a call by name, and the order in which a worker reads its queues."""

import pytest

from ssc_ingest.work.names import queue_names
from workers.routing import UrgencyCycle, route


@pytest.mark.parametrize(
    ("name", "kwargs", "queue"),
    [
        ("extraction.extract_package", {"ecosystem": "pypi", "name": "rich"}, "pypi.urgent"),
        ("extraction.extract_package", {"ecosystem": "cobol", "name": "x"}, "control"),
        ("extraction.extract_package", {}, "control"),
        ("extraction.extract_package", None, "control"),
        ("runs.sweep", {}, "control"),
    ],
)
def test_route(name: str, kwargs: dict[str, str] | None, queue: str) -> None:
    """Work goes to its ecosystem's urgent queue, everything else to control."""
    assert route(name, (), kwargs, {}) == {"queue": queue}


def test_urgent_before_fresh_before_bulk() -> None:
    """Whatever was read last, urgent queues come first and bulk queues last."""
    cycle = UrgencyCycle()
    cycle.update(["npm.bulk", "pypi.urgent", "npm.fresh", "pypi.bulk", "npm.urgent", "pypi.fresh"])
    for used in ("npm.bulk", "pypi.urgent", "pypi.fresh"):
        cycle.rotate(used)
        urgencies = [queue.partition(".")[2] for queue in cycle.consume(6)]
        assert urgencies == ["urgent", "urgent", "fresh", "fresh", "bulk", "bulk"]


def test_ecosystems_take_turns() -> None:
    """The ecosystem that was served last is the last of its urgency."""
    cycle = UrgencyCycle()
    cycle.update(["a.bulk", "b.bulk", "c.bulk"])
    served = []
    for _ in range(6):
        first = cycle.consume(3)[0]
        served.append(first)
        cycle.rotate(first)
    assert served == ["a.bulk", "b.bulk", "c.bulk"] * 2


def test_all_queues_most_urgent_first() -> None:
    """The list has the fleet's queues, here for two ecosystems."""
    assert queue_names(["pypi", "npm"]) == [
        "pypi.urgent",
        "npm.urgent",
        "pypi.fresh",
        "npm.fresh",
        "pypi.bulk",
        "npm.bulk",
        "control",
        "celery",
    ]
