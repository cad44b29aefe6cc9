"""The decision about each error."""

import pytest

from ssc_ingest.errors import (
    AwaitsTurn,
    DeadlineExceeded,
    GraphRefused,
    InconsistentAnswers,
    InvalidName,
    MalformedMetadata,
    PackageNotFound,
    ParentNotFound,
    RateLimited,
    RegistryOverloaded,
    RegistryPaused,
    RegistryUnavailable,
    RegistryUnreachable,
    ResourceForbidden,
    ResponseTooLarge,
    StaleAnswer,
    StoreRefusesAccess,
    StoreUnavailable,
)
from ssc_ingest.work.retry import MAX_PAUSE, MAX_WAITING, Again, GiveUp, decide

FOR_GOOD = [
    PackageNotFound("pkg:pypi/x"),
    MalformedMetadata("no name"),
    ResponseTooLarge("too large"),
    InvalidName("../x"),
    ParentNotFound("4:x:1"),
    GraphRefused("no"),
    ZeroDivisionError("a bug"),
]


@pytest.mark.parametrize("error", FOR_GOOD, ids=lambda e: type(e).__name__)
def test_what_cannot_help_is_not_repeated(error: Exception) -> None:
    """An error that the same input would cause again is a dead letter at once."""
    assert isinstance(decide(error, attempts=0, max_attempts=5, waited=0), GiveUp)


@pytest.mark.parametrize(
    ("error", "seconds"),
    [
        (RateLimited("paused", retry_after=30), 30),
        (StoreUnavailable("graph", "gone"), 5),
        (StoreRefusesAccess("graph", "wrong password", "correct it"), 5),
        (DeadlineExceeded("slow", progressed=True), 0),
    ],
    ids=["host", "store", "password", "deadline"],
)
@pytest.mark.parametrize("attempts", [0, 4, 400])
def test_waiting_uses_up_no_attempts(error: Exception, seconds: float, attempts: int) -> None:
    """Waiting for a host, a store or a slot is not an attempt, however often it happens."""
    decision = decide(error, attempts=attempts, max_attempts=5, waited=3600, jitter=0)
    assert decision == Again(seconds, counted=False)


@pytest.mark.parametrize(
    "error",
    [
        RegistryUnavailable("502"),
        InconsistentAnswers("a page is not there"),
        DeadlineExceeded("slow", progressed=False),
    ],
    ids=["no answer", "no sense", "no progress"],
)
def test_attempts_are_bounded_and_pauses_grow(error: Exception) -> None:
    """A failed request is retried after 5, 10, 20 and 40 seconds."""
    decisions = [decide(error, attempts=n, max_attempts=5, waited=0, jitter=0) for n in range(5)]
    assert [d.seconds for d in decisions if isinstance(d, Again)] == [5, 10, 20, 40]
    assert isinstance(decisions[-1], GiveUp)


@pytest.mark.parametrize(("waited", "seconds"), [(0, 7), (10, 7), (100, 50), (80_000, 900)])
def test_a_broken_document_hardly_stops_its_host(waited: float, seconds: float) -> None:
    """A 503 may concern one document, whose retries become rare."""
    error = RegistryOverloaded("503", retry_after=7)
    decision = decide(error, attempts=400, max_attempts=5, waited=waited)
    assert decision == Again(seconds, counted=False)


def test_pauses_have_a_bound() -> None:
    """No pause is longer than five minutes, jitter aside."""
    decision = decide(RegistryUnavailable("502"), attempts=50, max_attempts=99, waited=0, jitter=0)
    assert decision == Again(MAX_PAUSE, counted=True)


@pytest.mark.parametrize("error", [RateLimited("x", retry_after=1), StoreUnavailable("graph", "")])
def test_waiting_ends_after_a_day(error: Exception) -> None:
    """What has waited for a day goes to the dead letters."""
    decision = decide(error, attempts=0, max_attempts=5, waited=MAX_WAITING)
    assert isinstance(decision, GiveUp)


@pytest.mark.parametrize("waited", [0, MAX_WAITING, 30 * MAX_WAITING])
def test_an_operators_pause_may_last(waited: float) -> None:
    """Work waits for as long as that takes, and afterwards has its day before it."""
    error = RegistryPaused("paused", retry_after=300)
    decision = decide(error, attempts=4, max_attempts=5, waited=waited, jitter=0)
    assert decision == Again(300, counted=False, restart_deadline=True)


@pytest.mark.parametrize("waited", [0, MAX_WAITING, 30 * MAX_WAITING])
@pytest.mark.parametrize("error", [RegistryUnreachable, AwaitsTurn])
def test_an_outage_may_last(error: type[RateLimited], waited: float) -> None:
    """Neither an outage nor the wait for our own rate uses up an attempt, or the day."""
    decision = decide(error("x", retry_after=30), attempts=4, max_attempts=5, waited=waited)
    assert decision == Again(30, counted=False, restart_deadline=True)


@pytest.mark.parametrize(
    ("error", "seconds"),
    [(RateLimited("x", retry_after=1), 1), (DeadlineExceeded("slow", progressed=True), 0)],
)
def test_the_day_starts_again_with_progress(error: Exception, seconds: float) -> None:
    """Work that reads something each time needs as long as it needs."""
    decision = decide(error, attempts=0, max_attempts=5, waited=2 * MAX_WAITING, progressed=True)
    assert decision == Again(seconds, counted=False, restart_deadline=True)


def test_a_broken_document_is_no_progress() -> None:
    """Other documents are read around it, again and again."""
    for error in (RegistryOverloaded("503", retry_after=7), StoreUnavailable("graph", "")):
        decision = decide(error, attempts=0, max_attempts=5, waited=MAX_WAITING, progressed=True)
        assert isinstance(decision, GiveUp)


def test_a_refused_document_is_tried_twice() -> None:
    """There is one retry: by then, a host that refuses everything is paused."""
    error = ResourceForbidden("403")
    decision = decide(error, attempts=0, max_attempts=5, waited=0, jitter=0)
    assert decision == Again(5, counted=True)
    assert isinstance(decide(error, attempts=1, max_attempts=5, waited=0), GiveUp)
    assert isinstance(decide(error, attempts=0, max_attempts=1, waited=0), GiveUp)


@pytest.mark.parametrize("attempts", [0, 4, 50])
def test_a_stale_answer_is_always_asked_for_again(attempts: int) -> None:
    """Pauses grow and attempts are counted; the caller ends the retries, without a failure."""
    decision = decide(StaleAnswer("old"), attempts=attempts, max_attempts=3, waited=0, jitter=0)
    assert decision == Again(min(5 * 2**attempts, MAX_PAUSE), counted=True)
