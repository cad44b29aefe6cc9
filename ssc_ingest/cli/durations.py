"""Ages and durations as options: ``90m``, ``12h``, ``3d``."""

import re
from datetime import timedelta

import typer

_DURATION = re.compile(r"(\d{1,6})\s*([smhdw])", re.IGNORECASE | re.ASCII)
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def parse_duration(text: str) -> float:
    """The seconds of a duration above zero.

    Raises:
        typer.BadParameter: the text is not a duration above zero.
    """
    match = _DURATION.fullmatch(text.strip())
    if match is None or not int(match[1]):
        raise typer.BadParameter(f"{text!r} is not a duration such as 90s, 30m, 2h or 1d")
    return timedelta(**{_UNITS[match[2].lower()]: int(match[1])}).total_seconds()
