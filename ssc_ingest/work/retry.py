"""What becomes of work that failed: one pure table.

=====================  ==========================================================
error                  decision
=====================  ==========================================================
RegistryPaused         wait as long as the operator wants; not even the day counts
RateLimited            wait as long as the limiter says; no attempt is used up
RegistryOverloaded     the same, with pauses that grow with the time that it has waited
StoreUnavailable       wait a little; no attempt is used up
DeadlineExceeded       go on at once with what was read; if that is nothing, try again,
                       with growing pauses, as often as configured
StaleAnswer            try again, with growing pauses; the executor ends it
RegistryUnavailable    try again, with growing pauses, as often as configured
all others             dead letter at once: the same input would fail again
=====================  ==========================================================

Waiting that uses up no attempts ends in the dead letters after a day.
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
"""Each answer 503 stops the whole host for a while; where only one document is broken, who wants it
asks more and more seldom."""


@dataclass(frozen=True, slots=True)
class Again:
    """Try again after ``seconds``; ``counted``: this was one of the attempts."""

    seconds: float
    counted: bool
    restart_deadline: bool = False
    """The time that the work may wait begins anew."""


@dataclass(frozen=True, slots=True)
class GiveUp:
    """To the dead letters."""

    reason: str


def decide(  # noqa: PLR0911 - a table
    error: BaseException, *, attempts: int, max_attempts: int, waited: float, jitter: float = 0.25
) -> Again | GiveUp:
    """What to do about ``error``.

    Args:
        error: what went wrong.
        attempts: counted failures before this one.
        max_attempts: failures that end the work.
        waited: seconds since the first failure.
        jitter: random share added to a pause, so that what failed together does not return
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
