"""The decision about each error, as one pure function.

=====================  ==========================================================
error                  decision
=====================  ==========================================================
RegistryPaused         wait until the operator resumes it; the day starts again
RegistryUnreachable    wait until the host's next probe; the day starts again
AwaitsTurn             wait for our own rate; the day starts again
RateLimited            wait as long as the limiter says; uses no attempt
RegistryOverloaded     the same, with pauses that grow with the time waited so far
StoreUnavailable       wait a little; uses no attempt (also if it refuses our password)
DeadlineExceeded       continue at once from the checkpoint; without progress, try again,
                       with growing pauses, as often as configured
StaleAnswer            try again, with growing pauses; the assignment ends it
RegistryUnavailable    try again, with growing pauses, as often as configured
ResourceForbidden      try once more, after a pause: the host may refuse everything
                       for the moment, and is paused then
all others             dead letter at once: the same input would fail again
=====================  ==========================================================

Work that waits without using attempts becomes a dead letter after a day. The day starts again with
every execution that has read something.
"""

import random
from dataclasses import dataclass

from ssc_ingest.errors import (
    AwaitsTurn,
    DeadlineExceeded,
    RateLimited,
    RegistryOverloaded,
    RegistryPaused,
    RegistryUnavailable,
    RegistryUnreachable,
    ResourceForbidden,
    StaleAnswer,
    StoreUnavailable,
)

MAX_WAITING = 24 * 3600
STORE_PAUSE = 5.0
FIRST_PAUSE = 5.0
MAX_FORBIDDEN = 2
MAX_PAUSE = 300.0

MAX_OVERLOADED = 900.0
"""A 503 with ``Retry-After`` pauses the whole host, so the pauses of a task with one broken
document grow."""


@dataclass(frozen=True, slots=True)
class Again:
    """Retry after ``seconds``; ``counted``: this attempt counts."""

    seconds: float
    counted: bool
    restart_deadline: bool = False
    """The time limit for waiting starts again."""


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Make the task a dead letter."""

    reason: str


def decide(  # noqa: C901, PLR0911 - a table
    error: BaseException,
    *,
    attempts: int,
    max_attempts: int,
    waited: float,
    progressed: bool = False,
    jitter: float = 0.25,
) -> Again | GiveUp:
    """The decision about ``error``.

    Args:
        error: the failure.
        attempts: counted failures before this one.
        max_attempts: failures that end the work.
        waited: seconds since the first failure, or since the day started again.
        progressed: this attempt has read documents that the next one can skip.
        jitter: random share of a pause, so that tasks that failed together do not return together.
    """
    spread = 1 + random.random() * jitter  # noqa: S311 - not a secret
    match error:
        case RegistryPaused():
            return Again(error.retry_after * spread, counted=False, restart_deadline=True)
        case RegistryUnreachable() | AwaitsTurn():  # the limiter has spread these tasks
            return Again(error.retry_after, counted=False, restart_deadline=True)
    # Otherwise work with a broken document or without a store could wait for ever.
    restart = progressed and not isinstance(error, RegistryOverloaded | StoreUnavailable)
    if not restart and waited >= MAX_WAITING:
        return GiveUp(f"not done after {MAX_WAITING // 3600} hours")
    match error:
        case RegistryOverloaded():
            longer = min(waited / 2, MAX_OVERLOADED)
            return Again(max(error.retry_after, longer), counted=False)
        case RateLimited():
            return Again(error.retry_after, counted=False, restart_deadline=restart)
        case StoreUnavailable():
            return Again(STORE_PAUSE * spread, counted=False)
        case DeadlineExceeded() if error.progressed:
            return Again(0, counted=False, restart_deadline=restart)
        case StaleAnswer():
            return Again(_pause(attempts) * spread, counted=True)
        case RegistryUnavailable() | DeadlineExceeded() if attempts + 1 < max_attempts:
            return Again(_pause(attempts) * spread, counted=True)
        case ResourceForbidden() if attempts + 1 < min(max_attempts, MAX_FORBIDDEN):
            return Again(_pause(attempts) * spread, counted=True)
        case _:
            return GiveUp(f"failed {attempts + 1} time{'s' * bool(attempts)}")


def _pause(attempts: int) -> float:
    return float(min(FIRST_PAUSE * 2**attempts, MAX_PAUSE))
