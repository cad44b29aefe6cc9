"""Licences, as publishers write them.

https://packaging.python.org/en/latest/specifications/license-expression/ (the same expressions as
SPDX's own, https://spdx.github.io/spdx-spec/v2.3/SPDX-license-expressions/)
"""

from functools import lru_cache

MAX_LICENSE = 200
"""Characters that are kept; some publishers send the whole text of their licence."""

MAX_EXPRESSION = 1000
"""Characters; a longer text does not count as an expression."""


def license_facts(text: str | None) -> tuple[str | None, str | None]:
    """``license`` and ``license_spdx`` of a version, from what its publisher wrote.

    The first is the text on one line, cut after :data:`MAX_LICENSE` characters; the second a valid
    SPDX expression in its canonical spelling (``MIT OR Apache-2.0``), or ``None`` for any other
    text. A text without visible characters gives ``(None, None)``.
    """
    line = " ".join((text or "").split())
    return line[:MAX_LICENSE].rstrip() or None, _expression(line)


@lru_cache(maxsize=1024)  # nearly all versions of a package have the same, and most packages MIT
def _expression(line: str) -> str | None:
    if len(line) > MAX_EXPRESSION:
        return None
    from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

    try:
        return canonicalize_license_expression(line)
    except InvalidLicenseExpression:
        return None
