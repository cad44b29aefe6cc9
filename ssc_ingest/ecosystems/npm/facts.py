"""The facts of a version in its manifest, except requirements, in all forms that occur.

A value of the wrong type counts as absent. https://docs.npmjs.com/cli/configuring-npm/package-json
"""

import json
from collections.abc import Container
from itertools import islice
from typing import Any

MAX_DEPRECATION = 1000
"""Maximum characters of the deprecation note; a longer one is cut."""

MAX_ENGINES = 2000
"""Maximum characters; a longer table of runtimes is ignored."""

MAX_PLATFORMS = 100

MAX_TAGS = 1000
"""Maximum tags; packages with more have a tag for each build."""

_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode


def engines(value: Any) -> str | None:
    """``{"node": ">=18"}``; npm reads only objects."""
    table = _texts(value)
    if not table:
        return None
    text = _json(table)
    return text if len(text) <= MAX_ENGINES else None


def platforms(value: Any) -> tuple[str, ...]:
    """``os`` or ``cpu``: a list of names, or one name."""
    names = value if isinstance(value, list) else [value]
    return tuple(name for name in names if isinstance(name, str) and name)[:MAX_PLATFORMS]


def license_text(license_: Any, licenses: Any) -> str | None:
    """An SPDX expression or any other text.

    Manifests from before 2015 may have an object ``{"type": "MIT", "url": ...}``, or a list of
    texts or objects as alternatives.
    """
    for value in (license_, licenses):
        options = value if isinstance(value, list) else [value]
        if texts := [text for text in map(_license_name, options) if text]:
            return " OR ".join(texts)
    return None


def deprecated(value: Any) -> str | None:
    """The note of a deprecated version; an empty one ends the deprecation."""
    if value is True:
        return "deprecated"
    return value.strip()[:MAX_DEPRECATION] or None if isinstance(value, str) else None


def dist_tags(value: Any, versions: Container[str]) -> dict[str, str]:
    """Listed versions by tag."""
    found = ((tag, name) for tag, name in _texts(value).items() if name in versions)
    return dict(islice(found, MAX_TAGS))


def dist_tags_json(tags: dict[str, str]) -> str | None:
    """The tags in the form that the package node stores; equal tags give equal text."""
    return _json(tags) if tags else None


def _license_name(value: Any) -> str | None:
    if isinstance(value, dict):
        value = next((v for key in ("type", "name", "url") if (v := value.get(key))), None)
    return value.strip() if isinstance(value, str) else None


def _texts(value: Any) -> dict[str, str]:
    items = value.items() if isinstance(value, dict) else ()
    return {key: text for key, text in items if isinstance(text, str)}
