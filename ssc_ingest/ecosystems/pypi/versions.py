"""PyPI's version order: PEP 440, as ``packaging`` implements it.

https://packaging.python.org/specifications/version-specifiers/
"""

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
