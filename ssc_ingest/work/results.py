"""How one delivery of a task ends."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """The work is done, or another task will do it."""

    summary: str
    elsewhere: bool = False
    """Another message of the same task has the work, and the tasks that follow it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delayed:
    """The work waits in the delayed set."""

    seconds: float
    error_type: str
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GaveUp:
    """The work is in the dead letters."""

    dead_letter: str
    error_type: str
    error: str


Result = Done | Delayed | GaveUp
