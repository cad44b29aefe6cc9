"""PyPI's version order: PEP 440, as ``packaging`` implements it.

https://packaging.python.org/specifications/version-specifiers/
"""

import re
from functools import lru_cache

from packaging.version import Version


@lru_cache(maxsize=32_768)
def parse_version(text: str) -> Version | None:
    """The version, or ``None`` for text from before PEP 440 (``2004d``, ``1.0-final-2``).

    A leading ``v`` and blanks are ignored, as the graph's readers do (``PypiVersion`` of
    univers), so that both orders agree.
    """
    try:
        return Version("".join(text.split()).lstrip("vV"))
    except ValueError:  # InvalidVersion, or a number with more digits than Python converts
        return None


_PIECE = re.compile(r"([0-9]+|[a-z]+|[.-])")
_SPELLINGS = {"pre": "c", "preview": "c", "-": "final-", "rc": "c", "dev": "@"}
_ZERO = "0".zfill(8)


@lru_cache(maxsize=32_768)
def legacy_key(text: str) -> tuple[str, ...]:
    """The sort key of a version from before PEP 440; all of them precede PEP 440's versions.

    This is the order of setuptools 8 to 65 (``LegacyVersion``): numbers after words, words by
    their characters, and words for prereleases before the end of the version.
    https://setuptools.pypa.io/en/latest/pkg_resources.html#parsing-utilities
    """
    key: list[str] = []
    for piece in (*_PIECE.split(text.lower()), "final"):
        spelled = _SPELLINGS.get(piece, piece)
        if spelled in {"", "."}:
            continue
        if spelled[0] in "0123456789":
            key.append(spelled.zfill(8))
            continue
        word = f"*{spelled}"
        if word < "*final":
            while key and key[-1] == "*final-":
                key.pop()
        while key and key[-1] == _ZERO:
            key.pop()
        key.append(word)
    return tuple(key)
