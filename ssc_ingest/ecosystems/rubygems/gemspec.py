"""The specification of a gem, ``metadata.gz`` in its file: YAML with Ruby's tags.

Only the parser's events are read: nothing is built, so tags, aliases and depth do no harm.
https://guides.rubygems.org/specification-reference/
"""

import re
from collections.abc import Collection, Iterator

import yaml

from ssc_ingest.errors import MalformedArchive

MAX_EVENTS = 500_000
"""Parts of a specification; a file's name is one."""

MAX_DEPTH = 64
"""Levels; the time that the parser takes grows with their square."""

DEFAULT_PATHS = ("lib",)

_CONTROL = re.compile(r"[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that YAML does not allow."""

_LOADER: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def require_paths(specification: bytes) -> tuple[str, ...]:
    """The gem's folders on Ruby's load path.

    Raises:
        MalformedArchive: the specification is not YAML.
    """
    return lists_of(specification, ("require_paths",)).get("require_paths") or DEFAULT_PATHS


def lists_of(specification: bytes, keys: Collection[str]) -> dict[str, tuple[str, ...]]:
    """The values of these fields that are texts or lists of texts.

    Raises:
        MalformedArchive: the specification is not YAML.
    """
    # Old specifications have names of authors in other encodings.
    text = _CONTROL.sub(" ", specification.decode(errors="replace"))
    try:
        return {key: values for key, values in _fields(text) if key in keys}
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise MalformedArchive(f"the gem's specification is no YAML: {error}"[:300]) from error


def _fields(specification: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The fields of the outermost mapping, each with the texts directly in it."""
    key: str | None = None
    values: list[str] = []
    depth = 0
    for number, event in enumerate(yaml.parse(specification, Loader=_LOADER)):
        if number > MAX_EVENTS or depth > MAX_DEPTH:
            raise MalformedArchive(
                f"the gem's specification has more than {MAX_EVENTS} parts or {MAX_DEPTH} levels"
            )
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            continue
        if isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        elif isinstance(event, yaml.ScalarEvent):
            if depth <= 2:  # noqa: PLR2004 - the field itself, or an entry of its list
                values.append(event.value)
        elif not isinstance(event, yaml.AliasEvent):
            continue
        if depth == 1 and key is None:
            key = values[0] if isinstance(event, yaml.ScalarEvent) else ""
            values = []
        elif depth == 1 and key is not None:
            yield key, tuple(filter(None, values))
            key, values = None, []
