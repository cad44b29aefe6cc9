"""The templates. Every value is escaped, and invisible characters are shown.

Names of packages, errors and tracebacks come from outside. Besides markup, they may contain
characters that reverse the direction of the text, or that a terminal or browser hides.
"""

import json
import unicodedata
from datetime import UTC, datetime
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from ssc_ingest import phrases

_KEPT = frozenset("\n\t")
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
"""Categories of Unicode: control, format (the direction among them), surrogates, private use, and
separators of lines and paragraphs."""

MAX_SHOWN = 20_000
"""Maximum characters of a value; a longer one is cut."""


def shown(text: str) -> str:
    r"""The text with escapes in place of invisible characters: ``\u202e``."""
    cut = text[:MAX_SHOWN]
    plain = "".join(
        char
        if char in _KEPT or unicodedata.category(char) not in _HIDDEN
        else char.encode("unicode_escape", "backslashreplace").decode()
        for char in cut
    )
    return plain if len(cut) == len(text) else f"{plain} [...]"


def templates() -> Environment:
    """The environment of the templates."""
    environment = Environment(
        loader=PackageLoader("ssc_ingest.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_finalize,
    )
    environment.filters |= {
        "number": phrases.number,
        "count": phrases.count,
        "age": phrases.age,
        "duration": phrases.duration,
        "size": phrases.size,
        "moment": _moment,
        "words": _words,
        "unix": lambda seconds: datetime.fromtimestamp(seconds, UTC),
        "line": _line,
        "sentence": lambda text: f"{text[:1].upper()}{text[1:]}".rstrip(".\n"),
        "json": lambda value: json.dumps(value, indent=2, ensure_ascii=False, default=str),
    }
    return environment


def _finalize(value: Any) -> Any:
    """Called with the value of every expression, before it is escaped."""
    if hasattr(value, "__html__"):
        return value  # markup of a template
    if value is None:
        return "unknown"
    return shown(str(value))


def _moment(value: datetime | None) -> str:
    """``2026-11-29 01:25:17 UTC``."""
    return f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC" if value else "never"


def _words(name: str) -> str:
    """``new_versions`` as ``new versions``."""
    return name.replace("_", " ")


def _line(text: str, most: int = 160) -> str:
    """The first line, cut."""
    line = text.partition("\n")[0]
    return line if len(line) <= most else f"{line[:most]}..."
