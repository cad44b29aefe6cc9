"""Which task may rely on its run's comparison with the graph."""

import time
from typing import Any

import pytest

from ssc_ingest.ecosystems import ecosystem
from ssc_ingest.extraction.assignment import COMPARED_FOR, Assignment, Request
from ssc_ingest.work.arguments import ExtractPackage
from ssc_ingest.work.messages import Failure, Progress, TaskMessage


def assignment(*, redelivered: bool = False, arguments: Any = None, **fields: Any) -> Assignment:
    """A task of an ingestion, published a second ago."""
    keywords = {"ecosystem": "npm", "name": "express", "run_id": "r", "dependencies": "none"}
    message = {"published_at": time.time() - 1} | fields
    return Assignment(
        message=TaskMessage(task="t", kwargs={}, queue="npm.bulk", **message),
        request=Request(
            arguments=ExtractPackage.parse(keywords | (arguments or {})),
            ref=ecosystem("npm").ref("express"),
            job_id=None,
            members=(),
        ),
        membership="followed",
        redelivered=redelivered,
    )


def test_the_first_delivery_of_an_ingestion_relies_on_it() -> None:
    """The run has found that the graph lacks the package."""
    assert assignment().lacked


@pytest.mark.parametrize(
    "other",
    [
        {"redelivered": True},
        {"attempts": 1},
        {"since": 1.0},
        {"progress": Progress(wrote=True)},
        {"failures": (Failure(at="2026", attempts=3, error="?"),)},
        {"published_at": time.time() - COMPARED_FOR},
        {"published_at": time.time() + 3600},
        {"published_at": None},
        {"arguments": {"run_id": None}},
        {"arguments": {"refresh": True}},
        {"arguments": {"parent_id": "4:x:1"}},
    ],
    ids=lambda other: next(iter(other)),
)
def test_others_look_at_the_graph(other: dict[str, Any]) -> None:
    """It may have the package by now, or the run requests packages that it has."""
    assert not assignment(**other).lacked
