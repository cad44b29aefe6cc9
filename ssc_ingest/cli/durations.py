"""Ages and durations as options: ``90m``, ``12h``, ``3d``."""

import re
from datetime import timedelta

import typer

_DURATION = re.compile(r"(\d{1,6})\s*([smhdw])", re.IGNORECASE | re.ASCII)
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def parse_duration(text: str) -> timedelta:
    """The duration that a text names.

    Raises:
        typer.BadParameter: it names none.
    """
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        raise typer.BadParameter(f"{text!r} is no duration; write 90m, 12h, 3d or 2w")
    return timedelta(**{_UNITS[match[2].lower()]: int(match[1])})
