"""Digests of requirements, to find changes without comparing edges, and versions without facts.

A digest is 18 hexadecimal digits, two for its format and 16 for the requirements with their facts.
Those that earlier releases wrote have 16 digits and no format; they knew no facts.
"""

from collections.abc import Iterable
from hashlib import blake2b
from typing import Any

from ssc_ingest.graph.properties import REQUIREMENT

Edge = tuple[Any, ...]
"""A requirement: purl of the package, then the values of ``REQUIREMENT.sourced``."""

FORMAT = "02"
"""Format of versions with all facts of this release. It is increased with every new fact, so that
versions without it are read again."""

CLOSED = "00"
"""Format of versions that an earlier release read and whose documents are no longer readable: their
facts stay unknown."""

SIZE = 18

_, *_FACTS = REQUIREMENT.sourced


def digest(requirements: Iterable[Edge]) -> str:
    """The digest of a version's requirements, independent of their order.

    An absent value adds nothing, so that a new property changes the digits of only those versions
    that have it.
    """
    edges = sorted(requirements)
    parts = [text for edge in edges for text in edge[:2]]
    parts += [
        f"{edge[0]}\0{name}={fact}"
        for edge in edges
        if any(edge[2:])
        for name, fact in zip(_FACTS, edge[2:], strict=True)
        if fact
    ]
    text = "\0".join(parts)
    # The driver will later reject values that cannot be encoded, for this package alone.
    return FORMAT + blake2b(text.encode(errors="surrogatepass"), digest_size=8).hexdigest()


def has_facts(stored: str | None, *, unknown: bool) -> bool:
    """Whether an absent fact of a version means "none", not "unknown".

    Args:
        stored: the digest.
        unknown: its ``requirements_unknown``: there may be more than was read.
    """
    return stored is not None and len(stored) == SIZE and stored.startswith(FORMAT) and not unknown


def is_outdated(stored: str | None) -> bool:
    """Whether the requirements were read, but not the facts."""
    return stored is not None and not (len(stored) == SIZE and stored[:2] in {FORMAT, CLOSED})


def outdated_in_cypher(variable: str) -> str:
    """:func:`is_outdated` of a variable that stands for a version; null where nothing was read."""
    stored = f"{variable}.requirements_digest"
    return f"NOT (size({stored}) = {SIZE} AND left({stored}, 2) IN ['{FORMAT}', '{CLOSED}'])"


def closed(stored: str) -> str:
    """The digest of a version whose facts can no longer be read."""
    return CLOSED + stored[-16:]


def same_requirements(one: str, other: str | None) -> bool:
    """Whether two digests of any format have the same requirements and facts."""
    return other is not None and one[-16:] == other[-16:]
