"""Numbers, durations and ages as people read them, for the command line and the web page."""

from datetime import UTC, datetime


def number(value: int) -> str:
    """``1,234,567``."""
    return f"{value:,}"


def count(amount: int, noun: str) -> str:
    """``1 package``, ``1,200 packages``; ``2 dependencies``."""
    if amount == 1:
        return f"1 {noun}"
    plural = f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
    return f"{number(amount)} {plural}"


def age(moment: datetime | None, *, now: datetime | None = None) -> str:
    """Time since then: ``just now``, ``5 minutes ago``, ``3 days ago``; ``never`` for ``None``."""
    if moment is None:
        return "never"
    seconds = ((now or datetime.now(UTC)) - moment).total_seconds()
    return "just now" if seconds < 1 else f"{duration(seconds)} ago"


def duration(seconds: float) -> str:
    """A duration in its largest unit: ``0.4 s``, ``12 s``, ``5 minutes``, ``3 days``."""
    if seconds < 10:  # noqa: PLR2004 - two digits are enough
        return f"{seconds:.1f} s"
    for unit, length in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length:.0f} {unit}s"
    return f"{seconds:.0f} s"


def size(amount: int) -> str:
    """A number of bytes in binary units: ``812 B``, ``14 MiB``, ``2.5 GiB``."""
    value = float(amount)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 1024:  # noqa: PLR2004 - the next unit
            return f"{value:.0f} {unit}" if value >= 10 or unit == "B" else f"{value:.1f} {unit}"  # noqa: PLR2004
        value /= 1024
    return f"{value:.1f} TiB"
