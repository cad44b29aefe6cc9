"""Pure functions that compute the identity and the required properties of package nodes."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any
from urllib.parse import quote

from neo4j.time import DateTime

from ssc_ingest.ecosystems.base import Ecosystem
from ssc_ingest.errors import InvalidName
from ssc_ingest.graph.changes import Row
from ssc_ingest.graph.properties import PACKAGE
from ssc_ingest.graph.values import naive_utc
from ssc_ingest.models import NOT_AVAILABLE, PackageRef, Purl

UNNAMED = "?"
"""First character of the name for a nameless node; no registry has such names."""


@dataclass(frozen=True)
class PackageNode:
    """A package node in the graph."""

    id: str
    properties: Mapping[str, Any]
    labels: tuple[str, ...]
    edges: int
    """Number of relationships to versions and from requiring nodes."""
    strays: int
    """Number of its own requirements; only versions may have any."""
    ecosystem: type[Ecosystem]

    @property
    def age(self) -> int:
        """The number in the element id: an older node has a lower one."""
        return number_of(self.id)

    @cached_property
    def spelling(self) -> str:
        """Its name in the registry's spelling."""
        return self.ecosystem.name_of_node(self.properties)

    @cached_property
    def ref(self) -> PackageRef | None:
        """The package of the node; ``None`` if the name is invalid in its registry."""
        try:
            return self.ecosystem.ref(self.spelling)
        except InvalidName:
            return None

    @cached_property
    def purl(self) -> Purl:
        """Its identity. An invalid name is used unchanged; it equals no other identity."""
        if self.ref is not None:
            return self.ref.purl
        identity = self.ecosystem.identity
        return Purl(f"pkg:{identity.purl_type}/{quote(self.spelling, safe='')}")


@dataclass(frozen=True, slots=True)
class Identity:
    """The changes of the nodes of one package."""

    survivor: PackageNode
    duplicates: tuple[PackageNode, ...]
    properties: Row
    """Properties to set on the surviving node; ``None`` removes one."""

    @property
    def is_lost(self) -> bool:
        """Whether the node has an invalid name and no references."""
        nodes = (self.survivor, *self.duplicates)
        return self.survivor.ref is None and not any(node.edges for node in nodes)


def number_of(element_id: str) -> int:
    """``4:<database>:17`` -> 17."""
    return int(element_id.rpartition(":")[2])


def identify(nodes: Iterable[PackageNode], namesakes: Iterable[PackageNode]) -> list[Identity]:
    """Group nodes by package, and compute the changes of each package.

    Args:
        nodes: the nodes of one page, and all other nodes that have the same purls.
        namesakes: nodes whose name is the lower-case form of a name on the page.
    """
    groups: dict[Purl, list[PackageNode]] = {}
    for node in nodes:
        groups.setdefault(node.purl, []).append(node)
    for group in groups.values():
        group.sort(key=lambda node: node.age)
    names = _names({purl: _best_spelled(group) for purl, group in groups.items()}, namesakes)
    return [_identity(group, names[purl]) for purl, group in groups.items()]


def lower_name(node: PackageNode) -> str | None:
    """The lower-case name that another package may own, if the registry distinguishes case."""
    lower = node.spelling.lower()
    if node.ref is None or lower == node.spelling:
        return None
    try:
        return lower if node.ecosystem.ref(lower).purl != node.purl else None
    except InvalidName:
        return None


def _best_spelled(group: Iterable[PackageNode]) -> PackageNode:
    """The node that most likely has the registry's spelling, independent of the order of merges.

    First a package that this program has read; then a spelling that is not the normalised form,
    which requirements have; then the first in text order, which prefers capitals.
    """

    def rank(node: PackageNode) -> tuple[bool, bool, str]:
        is_normalised = node.purl.endswith(f"/{node.spelling}")
        return "latest" not in node.properties, is_normalised, node.spelling

    return min(group, key=rank)


def _names(
    spelled: Mapping[Purl, PackageNode], namesakes: Iterable[PackageNode]
) -> dict[Purl, str]:
    """The name of each package: in lower case, unless another package owns that name.

    It belongs to the package with that spelling in the registry; if there is none, to the package
    that already has it, otherwise to the first in text order.
    """
    owners: dict[str, tuple[bool, bool, str, Purl]] = {}

    def claim(name: str, node: PackageNode) -> None:
        other = (
            node.spelling != name,
            node.properties.get("name") != name,
            node.spelling,
            node.purl,
        )
        owners[name] = min(other, owners.get(name, other))

    for node in (*namesakes, *spelled.values()):
        if node.ref is not None:
            claim(node.spelling.lower(), node)
    names = {}
    for purl, node in spelled.items():
        if node.ref is None:
            names[purl] = node.properties["name"]
        elif lower_name(node) is None:
            names[purl] = node.ref.name.lower()
        else:
            lower = node.spelling.lower()
            names[purl] = lower if owners[lower][-1] == purl else node.spelling
    return names


def _identity(group: Sequence[PackageNode], name: str) -> Identity:
    survivor, *duplicates = group
    best = _best_spelled(group)
    found: Row = {}
    for node in group:
        for key, value in node.properties.items():
            if value not in ("", [], NOT_AVAILABLE):
                found.setdefault(key, value)
    wanted = {
        **PACKAGE.defaults,
        **found,
        "purl": best.purl,
        "name": name,
        "registry_name": best.spelling,
        "moment": None if best.ref is None else _last_moment(group),
        **(best.ref.properties if best.ref else {}),
    }
    if duplicates:
        wanted["etag"] = (
            None  # the node received versions of others, so the document must be read again
        )
    has = survivor.properties
    changed = {key: value for key, value in wanted.items() if not _same(has.get(key), value)}
    return Identity(survivor, tuple(duplicates), changed)


def _last_moment(group: Iterable[PackageNode]) -> datetime | None:
    moments = (local_moment(node.properties.get("moment")) for node in group)
    return max((moment for moment in moments if moment is not None), default=None)


def local_moment(value: Any) -> datetime | None:
    """A stored time as naive UTC; ``None`` for invalid values."""
    if isinstance(value, DateTime):
        native = value.to_native()
    elif isinstance(value, str):
        try:
            native = datetime.fromisoformat(value)
        except ValueError:
            return None
    else:
        return None
    return naive_utc(native) if native.tzinfo else native.replace(tzinfo=None)


def iso_release_date(value: Any) -> str | None:
    """Convert any stored form of a release date to ISO 8601 in UTC, in milliseconds.

    Numbers (also as text) are milliseconds since 1970, texts without a zone are UTC.
    """
    try:
        if isinstance(value, str) and not value.strip().isdigit():
            moment = datetime.fromisoformat(value.strip())
        elif isinstance(value, DateTime):
            moment = value.to_native()
        elif isinstance(value, (int, float, str)) and not isinstance(value, bool):
            moment = datetime.fromtimestamp(float(value) / 1000, UTC)
        else:
            return None
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        text = moment.astimezone(UTC).isoformat(timespec="milliseconds")
    except (ValueError, OverflowError, OSError):
        return None
    return text.replace("+00:00", "Z")


def _same(stored: Any, wanted: Any) -> bool:
    """Whether a property already has its value; a time also in the right type."""
    if isinstance(stored, DateTime):
        return stored.tzinfo is None and stored.to_native() == wanted
    return bool(stored == wanted) and type(stored) is type(wanted)
