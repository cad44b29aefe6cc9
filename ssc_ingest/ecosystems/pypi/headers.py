"""The headers of a core metadata file (``METADATA``, ``PKG-INFO``), without its description.

They are read as :mod:`email` reads them with its policy ``compat32``, at a seventh of its cost: a
line that starts with white space continues the header before it, and the first line that is no
header ends them.

https://packaging.python.org/specifications/core-metadata/
"""

import codecs
import re
from collections.abc import Mapping, Sequence

_BLANK_LINE = re.compile(rb"\n\r?\n")
_HEADER = re.compile(
    r"([!-9;-~]+):(.*(?:\n[\t ].*)*)\n?"  # RFC 5322, 3.6.8; with its continuation lines
    # A line without a name, and the envelope of a mailbox, with their continuation lines
    r"|(?:[:\t ]|From ).*(?:\n[\t ].*)*\n?"
    r"|(?s:.+)"  # the description, and anything else that is not a header
)


class Headers:
    """The headers of one file by their names, which are case-insensitive."""

    def __init__(self, values: Mapping[str, Sequence[str]]) -> None:
        """``values`` by names in lower case, in the order of the file."""
        self._values = values

    def all(self, name: str) -> Sequence[str]:
        """All values of a header; ``name`` is in lower case."""
        return self._values.get(name, ())

    def one(self, name: str) -> str | None:
        """The value of a header; ``None`` if it is missing, or has several values."""
        values = self._values.get(name, ())
        return values[0] if len(values) == 1 else None


def header_part(body: bytes) -> bytes:
    """The file without its description: :func:`parse_headers` reads the same of it."""
    content = body.lstrip().removeprefix(codecs.BOM_UTF8).lstrip()
    end = _BLANK_LINE.search(content)
    return content[: end.start()] if end else content


def parse_headers(body: bytes) -> Headers:
    r"""Read the headers of a metadata file.

    Any bytes are accepted. A byte that is not UTF-8 becomes U+FFFD, and affects only its header.
    Line ends are ``\n``. Values have no white space before them, and may have it behind them.
    """
    text = header_part(body).decode(errors="replace")
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    values: dict[str, list[str]] = {}
    for name, value in _HEADER.findall(text):
        if name:
            values.setdefault(name.lower(), []).append(value.lstrip("\t\n "))
    return Headers(values)
