"""Finds npm's place for a package and its peers in the tree.

After https://github.com/npm/cli/tree/latest/workspaces/arborist/lib (``can-place-dep.js``,
``place-dep.js``), as for an ordinary installation without updates, force or nesting.
"""

from collections.abc import Callable, Iterator, Sequence
from enum import Enum

from benchmarks.resolver_truth.interface import Unresolvable
from benchmarks.resolver_truth.npm.tree import (
    Edge,
    Node,
    deepest_place,
    dependency_set,
    locale_key,
    peer_sets,
)
from benchmarks.resolver_truth.npm.versions import order


class Verdict(Enum):
    """The effect of a package at a place."""

    OK = "it can be put there"
    KEEP = "one that will do is there"
    REPLACE = "it can replace the one there"
    CONFLICT = "it cannot be there"


class Check:
    """Checks whether a package and its peers can be below a node. Changes nothing."""

    def __init__(
        self,
        package: Node,
        edge: Edge,
        place: Node,
        *,
        parent: "Check | None" = None,
        peer_path: Sequence[Node] = (),
    ) -> None:
        self.package = package
        self.edge = edge
        self.place = place
        self.parent = parent
        self.peer_path = peer_path
        self.current = place.children.get(edge.name)
        self.alone: Verdict | None = None
        """The verdict without its peers."""
        self._peers: Verdict | None = None
        self.verdict = self._verdict()
        if self.alone is None:
            self.alone = self.verdict

    @property
    def entry_edge(self) -> Edge:
        """The edge with which the set of peers starts."""
        return self.parent.entry_edge if self.parent else self.edge

    @property
    def deepest(self) -> Node:
        """The deepest possible place."""
        return deepest_place(
            self.parent.deepest if self.parent else self.edge.source, self.edge.name
        )

    def _verdict(self) -> Verdict:
        wanted = self.place.edges.get(self.edge.name)
        if self.package.version is None:
            return Verdict.REPLACE if self.current else Verdict.OK
        if wanted and wanted.is_peer and self.place.parent:
            return Verdict.CONFLICT
        if self.current:
            return self._beside(self.current)
        if wanted and wanted is not self.edge and not wanted.is_met_by(self.package):
            return Verdict.CONFLICT
        return self._on_empty_place()

    def _on_empty_place(self) -> Verdict:
        if self.place is not self.entry_edge.source:
            shadowed = self.place.find(self.edge.name)
            for edge in shadowed.incoming() if shadowed else ():
                if (
                    edge.source.is_inside(self.place)
                    and edge.is_valid
                    and not edge.is_met_by(self.package)
                ):
                    return Verdict.CONFLICT
        return self._with_peers(Verdict.OK)

    def _beside(self, current: Node) -> Verdict:  # noqa: PLR0911 - one question after the other
        package, edge = self.package, self.edge
        # A peer that was overridden while its set was loaded.
        if package.matches(current) and (edge.is_met_by(current) or not edge.is_met_by(package)):
            return Verdict.KEEP
        is_newer = (
            current.version is not None
            and package.version is not None
            and order(package.version) >= order(current.version)
        )
        if is_newer and self._can_replace(current):
            return Verdict.REPLACE
        if edge.is_met_by(current):
            return Verdict.KEEP
        if edge.is_peer and not is_newer and self._can_replace(current):
            return Verdict.REPLACE
        if self.place is not self.deepest:
            return Verdict.CONFLICT
        if not edge.is_peer and self.place is edge.source:
            return self._with_peers(Verdict.REPLACE)
        if not self.parent and not edge.is_peer:
            return Verdict.CONFLICT
        if all(self._can_clear(entry, peers) for entry, peers in peer_sets(current).items()):
            return self._with_peers(Verdict.REPLACE)
        return Verdict.CONFLICT

    def _can_replace(self, current: Node) -> bool:
        return (
            self.package.can_replace(current)
            and self._with_peers(Verdict.REPLACE) is not Verdict.CONFLICT
        )

    def _can_clear(self, entry: Edge, peers: set[Node]) -> bool:
        """Whether a set of peers can be replaced or moved deeper."""
        if entry is self.edge or entry is self.entry_edge:
            return True
        node, siblings = entry.target, self.package.parent
        assert node
        assert siblings
        other = siblings.children.get(node.name)
        if other and other.can_replace(node, siblings.children):
            return True
        if not other and self._can_clobber(node, siblings):
            return True
        for peer in peers:
            deepest = deepest_place(entry.source, peer.name)
            if deepest is self.place or self.place.is_inside(deepest):
                return False
        return True

    @staticmethod
    def _can_clobber(node: Node, siblings: Node) -> bool:
        walk = [node]
        for peer in walk:
            for edge in peer.edges.values():
                if not edge.is_peer or not edge.is_valid:
                    continue
                other = siblings.children.get(edge.name)
                if other is None:
                    target = edge.target
                    if target and target not in walk:
                        walk.append(target)
                elif not edge.is_met_by(other):
                    return False
        return True

    def _with_peers(self, verdict: Verdict) -> Verdict:
        self.alone = verdict
        if self._peers is None:
            path = (*self.peer_path, self.package)
            checks = [
                Check(
                    peer,
                    edge,
                    deepest_place(self.place, peer.name),
                    parent=self,
                    peer_path=path,
                )
                for edge in self.package.edges.values()
                if edge.is_peer and (peer := edge.target) and peer not in path
            ]
            conflicts = any(check.verdict is Verdict.CONFLICT for check in checks)
            self._peers = Verdict.CONFLICT if conflicts else verdict
        return self._peers


class Placement:
    """Puts a package and its peers into the tree for an edge."""

    def __init__(self, package: Node, edge: Edge, parent: "Placement | None" = None) -> None:
        self.package = package
        self.edge = edge
        self.parent = parent
        self.placed: Node | None = None
        self.check: Check | None = None
        self.children: list[Placement] = []
        self.to_evaluate: dict[Node, None] = {}
        if edge.target is None or not edge.is_valid:
            self._place()

    def all(self) -> Iterator["Placement"]:
        """The check itself and those of its peers."""
        yield self
        for child in self.children:
            yield from child.all()

    @property
    def start(self) -> Node:
        """The deepest possible place; its peers cannot be deeper."""
        start = self.parent.start if self.parent else self.edge.source
        return deepest_place(start, self.edge.name)

    def _place(self) -> None:
        check = self._find_place()
        if check is None:
            if self._is_of_project:
                raise Unresolvable(f"npm gives up on the peers of {self.package.name}")
            self.edge.is_overridden = True
            return
        self.check = check
        verdict = check.verdict if check.verdict is not Verdict.CONFLICT else check.alone
        place = check.place
        if verdict is Verdict.KEEP:
            if self.edge.is_peer and not self.edge.is_valid:
                self.edge.is_overridden = True
            self._prune(place, descend=True)
            return
        if any(node.parent and node.matches(self.package) for node in place.ancestry()):
            link = Node(self.package.name, self.package.package, self.package.version, is_link=True)
            link.put(place)
            self.placed = link
            return
        self.placed = placed = copy_of(self.package)
        old = place.children.get(self.edge.name)
        if old:
            self._replace(old, placed)
        else:
            placed.put(place)
        if self.edge.is_peer and not self.edge.is_met_by(placed):
            self.edge.is_overridden = True
        self._prune_around(place)
        self._place_peers(placed)

    def _find_place(self) -> Check | None:
        """The highest place; if its peers are in conflict, the highest for the package alone."""
        found = alone = None
        for place in self.start.ancestry():
            wanted = place.edges.get(self.edge.name)
            if place.parent and wanted and wanted.is_peer:
                continue
            check = Check(
                self.package, self.edge, place, parent=self.parent.check if self.parent else None
            )
            if check.alone is not Verdict.CONFLICT:
                alone = check
            if check.verdict is Verdict.CONFLICT:
                break
            found = check
            if self.package.version is None:
                break
        return found or (None if self._is_of_project else alone)

    @property
    def _is_of_project(self) -> bool:
        placement = self
        while placement.parent:
            placement = placement.parent
        edge = placement.edge
        node = edge.source
        if not node.parent:
            return True
        if not edge.is_peer:
            return False
        incoming = node.incoming()
        if any(not each.is_peer and not each.source.parent for each in incoming):
            return True
        return any(each.is_peer for each in incoming) and any(
            not entry.source.parent for entry in peer_sets(node)
        )

    def _replace(self, old: Node, placed: Node) -> None:
        """Replace another package, and remove packages that only that one required."""
        place = old.parent
        orphans: list[Node] = []
        for name, edge in old.edges.items():
            if name not in placed.edges and (target := edge.target):
                orphans += dependency_set([target], _leads_beside(target))
        peers: list[Node] = []
        for edge in old.incoming():
            if (
                edge.is_met_by(placed)
                or not edge.is_peer
                or edge.source.parent is not place
                or edge.is_overridden
            ):
                continue
            for entry in peer_sets(edge.source):
                node = entry.target
                assert node
                if deepest_place(node, node.name) is not place and entry.source.parent:
                    peers += dependency_set([node], _leads_elsewhere(node))
                else:
                    edge.is_overridden = True
        placed.replace(old)
        self._remove_orphans(placed, orphans)
        for peer in peers:
            for edge in peer.incoming():
                self.to_evaluate[edge.source] = None
            peer.remove()

    @staticmethod
    def _remove_orphans(placed: Node, orphans: Sequence[Node]) -> None:
        invalid = {e.target: None for e in placed.edges.values() if e.target and not e.is_valid}
        for orphan in orphans:
            invalid |= dict.fromkeys(dependency_set([orphan], _leads_validly_beside(orphan)))
        alone = dependency_set(
            invalid,
            lambda e: e.source is not placed and e.target is not placed and e.is_valid,
        )
        for node in alone:
            node.remove()

    def _prune_around(self, place: Node) -> None:
        """Remove duplicates of it that are no longer needed."""
        target = self.edge.target
        if target and self.edge.is_valid and target is not self.placed:
            self._prune(target, descend=False)
        project = place.top
        for node in [n for n in project.subtree() if n.name == self.edge.name]:
            if node.parent and node.top is project and node.is_inside(place):
                self._prune(node, descend=False)
                if node.top is project:
                    for child in list(node.children.values()):
                        self._prune(child, descend=False)

    def _prune(self, node: Node, *, descend: bool) -> None:
        if node.is_duplicate(prefer_fewer=False):
            for each in dependency_set([node], _leads_validly_beside(node)):
                each.remove()
            return
        if descend:
            for child in sorted(node.children.values(), key=lambda n: locale_key(n.path)):
                self._prune(child, descend=True)

    def _place_peers(self, placed: Node) -> None:
        siblings = self.package.parent
        assert siblings
        for edge in list(placed.edges.values()):
            if edge.is_valid or not edge.is_peer or edge.is_overridden:
                continue
            peer = siblings.children.get(edge.name)
            if peer and edge.is_met_by(peer):
                self.children.append(Placement(peer, edge, self))


def _leads_beside(node: Node) -> Callable[[Edge], bool]:
    return lambda edge: edge.target is not node


def _leads_validly_beside(node: Node) -> Callable[[Edge], bool]:
    return lambda edge: edge.target is not node and edge.is_valid


def _leads_elsewhere(node: Node) -> Callable[[Edge], bool]:
    return lambda edge: edge.target is not node and not edge.is_overridden


def copy_of(node: Node) -> Node:
    """The same package with the same requirements, outside any tree."""
    copy = Node(node.name, node.package, node.version)
    copy.edges = {
        edge.name: Edge(copy, edge.name, edge.package, edge.text, edge.kind)
        for edge in node.edges.values()
    }
    return copy
