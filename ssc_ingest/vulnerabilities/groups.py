"""Groups the records of one flaw: the transitive closure of their aliases.

The rules are those of osv.dev: a record's aliases are ignored if there are more than five, and more
than 32 ids do not form a group. A withdrawn or vanished record connects nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass

MAX_ALIASES = 5

MAX_GROUP = 32
"""Maximum number of ids; some may have no record here (``CVE-...``)."""


@dataclass(frozen=True, slots=True)
class Member:
    """The properties of a record for grouping."""

    aliases: tuple[str, ...]
    score: float | None
    """Its CVSS 3 base score."""
    counts: bool
    """Whether the record is in force: neither withdrawn nor vanished."""

    @property
    def edges(self) -> tuple[str, ...]:
        """The ids that the record connects to itself."""
        return self.aliases if self.counts and len(self.aliases) <= MAX_ALIASES else ()


@dataclass(frozen=True, slots=True)
class Group:
    """The group of one record."""

    name: str
    """The smallest of its ids."""
    score: float | None
    """The highest score of its records."""


def assign(members: Mapping[str, Member]) -> dict[str, Group]:
    """The group of each record; ``members`` must have all connected records."""
    parents: dict[str, str] = {}

    def root(node: str) -> str:
        while (parent := parents.setdefault(node, node)) != node:
            parents[node] = parents[parent]
            node = parents[node]
        return node

    for record_id, member in members.items():
        for alias in member.edges:
            # The smaller of two roots stays a root, so a group's root is its smallest id.
            low, high = sorted((root(record_id), root(alias)))
            parents[high] = low
    sizes: dict[str, int] = {}
    for node in list(parents):
        sizes[root(node)] = sizes.get(root(node), 0) + 1
    scores: dict[str, float] = {}
    for record_id, member in members.items():
        name = root(record_id)
        if member.counts and member.score is not None:
            scores[name] = max(member.score, scores.get(name, 0.0))
    groups = {}
    for record_id, member in members.items():
        name = root(record_id)
        if member.counts and sizes.get(name, 1) <= MAX_GROUP:
            groups[record_id] = Group(name, scores.get(name))
        else:
            groups[record_id] = Group(record_id, member.score)
    return groups
