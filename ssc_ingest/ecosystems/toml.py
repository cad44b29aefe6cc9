"""TOML of unknown origin, read in a time that grows with its size.

The standard library's parser takes the square of a key's parts (``a.a.a...``): 150 seconds for 256
KB. A table with such a name costs its length again for each key below it.
"""

import re
import tomllib
from typing import Any

MAX_PARTS = 32
"""Maximum parts of a dotted key; those of real manifests have fewer than ten."""

_PART = r"""(?:[\w-]++|"(?:[^"\\\n]|\\.){0,50}+"|'[^'\n]{0,50}+')"""
"""A part of a key; of quoted ones longer than that, a document has too few to matter."""

_LONG_KEY = re.compile(rf"(?<![\w-])(?:{_PART}[ \t]*+\.[ \t]*+){{{MAX_PARTS}}}", re.ASCII)


def parse_toml(text: str) -> dict[str, Any]:
    """The document.

    Raises:
        ValueError: the text is not TOML, or exceeds a limit of the parser.
    """
    if _LONG_KEY.search(text):
        raise ValueError(f"a key has more than {MAX_PARTS} parts")
    try:
        return tomllib.loads(text)
    except RecursionError as error:
        raise ValueError("values are nested too deeply") from error
