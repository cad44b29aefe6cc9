"""Conclusions from responses and failures about a host, and their texts."""

from datetime import UTC, datetime, timedelta

import aiohttp
import pytest

from ssc_ingest.control.registry_pauses import Host, Registry, pauses
from ssc_ingest.http.addresses import AddressForbidden
from ssc_ingest.http.failures import explain
from ssc_ingest.http.host_history import (
    Answer,
    answer_of,
    entry,
    is_overloaded,
    is_silent,
    refuses_us,
)
from ssc_ingest.http.rate_limit import HostUse, RegistryPause

LATER = datetime(2030, 1, 1, 12, tzinfo=UTC)
QUIET = HostUse(last_minute=0, last_hour=0, paused_until=None)


def entries(*answers: str) -> list[str]:
    """Responses for different documents, newest first."""
    return [f"{answer} {number}" for number, answer in enumerate(answers)]


def test_a_host_that_refuses_us() -> None:
    """Five refusals in a row pause it; five refusals of one document do not."""
    assert refuses_us(entries(*["forbidden"] * 5))
    assert not refuses_us(entries(*["forbidden"] * 4, "fine", "forbidden"))
    assert not refuses_us([entry("forbidden", "http://h/same")] * 10)


def test_a_silent_host() -> None:
    """Three time-outs in a row; connections have no document, so each counts."""
    assert is_silent(entries(*["late"] * 3, "fine"))
    assert not is_silent(entries("late", "late", "failed", "late"))
    assert not is_silent([entry("late", "http://h/same")] * 10)
    assert is_silent([entry("late", None) for _ in range(3)])


def test_an_overloaded_host() -> None:
    """503 for five documents among the last responses, in a row or not."""
    assert is_overloaded(entries(*["overloaded", "fine"] * 5))
    assert not is_overloaded(entries(*["overloaded", "fine"] * 4))
    assert not is_overloaded([entry("overloaded", "http://h/same")] * 10)


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        (200, "fine"),
        (304, "fine"),
        (404, "fine"),
        (403, "forbidden"),
        (429, "failed"),
        (500, "failed"),
        (502, "late"),
        (503, "overloaded"),
        (504, "late"),
    ],
)
def test_statuses(status: int, answer: Answer) -> None:
    """A missing document is a good response of its host."""
    assert answer_of(status) == answer


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (AddressForbidden("h is 10.0.0.1"), "no connection to h: h is 10.0.0.1"),
        (aiohttp.ConnectionTimeoutError(""), "no connection to h in time"),
        (aiohttp.SocketTimeoutError(""), "connected to h, but no response in time"),
        (aiohttp.ClientPayloadError("reset"), "the connection to h broke: reset"),
        (aiohttp.ClientPayloadError(""), "the connection to h broke: ClientPayloadError"),
    ],
)
def test_failures(error: Exception, text: str) -> None:
    """Each failure is described, with an error's name if it says nothing."""
    assert explain(error, "h").text == text


@pytest.mark.parametrize(
    ("use", "hold", "text"),
    [
        (QUIET, None, ""),
        (QUIET, "incident", "npm is paused by an operator: incident"),
        (
            HostUse(last_minute=0, last_hour=0, paused_until=LATER, unreachable="h is away"),
            None,
            "h is away; one request at a time tests it",
        ),
        (
            HostUse(last_minute=0, last_hour=0, paused_until=LATER, queued_until=LATER),
            None,
            "h requested a pause until 12:00:00 UTC",
        ),
        (
            HostUse(
                last_minute=9,
                last_hour=9,
                paused_until=None,
                queued_until=LATER + timedelta(minutes=1),
            ),
            None,
            "each waits for its turn (rate limit of h)",
        ),
    ],
    ids=["nothing", "operator", "unreachable", "asked to wait", "our own rate"],
)
def test_why_work_waits(use: HostUse, hold: str | None, text: str) -> None:
    """Our own rate limit is distinguished from an unavailable registry."""
    pause = RegistryPause(since=LATER, until=None, reason=hold) if hold else None
    hosts = (Host(name="h", rate=5.0, use=use), Host(name="i", rate=5.0, use=QUIET))
    assert Registry(name="npm", hold=pause, hosts=hosts).obstacle == text


@pytest.mark.parametrize(
    ("hold", "command"), [("incident", "registries resume npm"), ("", "check")]
)
def test_what_ends_a_pause(hold: str, command: str) -> None:
    """A pause of an operator needs one, and an outage none."""
    away = HostUse(last_minute=0, last_hour=0, paused_until=LATER, unreachable="h is away")
    registry = Registry(
        name="npm",
        hold=RegistryPause(since=LATER, until=None, reason=hold) if hold else None,
        hosts=(Host(name="h", rate=5.0, use=away),),
    )
    ((reason, remedy),) = pauses([registry]).values()
    assert reason == registry.pause
    assert f"`ssc-ingest {command}`" in remedy
    assert ("by itself" in remedy) is not bool(hold)
    assert pauses([Registry(name="npm", hold=None, hosts=())]) == {}
