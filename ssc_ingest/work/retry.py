"""Decisions about failed work: one pure table.

=====================  ==========================================================
error                  decision
=====================  ==========================================================
RegistryPaused         wait until the operator resumes it; the day starts again
RateLimited            wait as long as the limiter says; uses no attempt
RegistryOverloaded     the same, with pauses that grow with the time waited so far
StoreUnavailable       wait a little; uses no attempt
DeadlineExceeded       continue at once from the checkpoint; without progress, try again,
                       with growing pauses, as often as configured
StaleAnswer            try again, with growing pauses; the assignment ends it
RegistryUnavailable    try again, with growing pauses, as often as configured
all others             dead letter at once: the same input would fail again
=====================  ==========================================================

Work that waits without using attempts becomes a dead letter after a day.
"""

import random
from dataclasses import dataclass

from ssc_ingest.errors import (
    DeadlineExceeded,
    RateLimited,
    RegistryOverloaded,
    RegistryPaused,
    RegistryUnavailable,
    StaleAnswer,
    StoreUnavailable,
)

MAX_WAITING = 24 * 3600
STORE_PAUSE = 5.0
FIRST_PAUSE = 5.0
MAX_PAUSE = 300.0

MAX_OVERLOADED = 900.0
"""Each 503 pauses the whole host for a while, so a task whose document alone is broken retries more
and more rarely."""


@dataclass(frozen=True, slots=True)
class Again:
    """Try again after ``seconds``; ``counted``: this was one of the attempts."""

    seconds: float
    counted: bool
    restart_deadline: bool = False
    """The time limit for waiting starts again."""


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Make the task a dead letter."""

    reason: str


def decide(  # noqa: PLR0911 - a table
    error: BaseException, *, attempts: int, max_attempts: int, waited: float, jitter: float = 0.25
) -> Again | GiveUp:
    """The decision about ``error``.

    Args:
        error: the failure.
        attempts: counted failures before this one.
        max_attempts: failures that end the work.
        waited: seconds since the first failure.
        jitter: random share added to a pause, so that tasks that failed together do not return
            together.
    """
    spread = 1 + random.random() * jitter  # noqa: S311 - not a secret
    if isinstance(error, RegistryPaused):
        return Again(error.retry_after * spread, counted=False, restart_deadline=True)
    if waited >= MAX_WAITING:
        return GiveUp(f"not done after {MAX_WAITING // 3600} hours")
    match error:
        case RegistryOverloaded():
            longer = min(waited / 2, MAX_OVERLOADED)
            return Again(max(error.retry_after, longer), counted=False)
        case RateLimited():
            return Again(error.retry_after, counted=False)  # the limiter has spread them
        case StoreUnavailable():
            return Again(STORE_PAUSE * spread, counted=False)
        case DeadlineExceeded() if error.progressed:
            return Again(0, counted=False)
        case StaleAnswer():
            return Again(_pause(attempts) * spread, counted=True)
        case RegistryUnavailable() | DeadlineExceeded() if attempts + 1 < max_attempts:
            return Again(_pause(attempts) * spread, counted=True)
        case _:
            return GiveUp(f"failed {attempts + 1} time{'s' * bool(attempts)}")


def _pause(attempts: int) -> float:
    return float(min(FIRST_PAUSE * 2**attempts, MAX_PAUSE))
