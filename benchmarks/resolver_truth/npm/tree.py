"""npm's tree of installed packages: nodes, their requirements, and the targets of these.

After https://github.com/npm/cli/tree/latest/workspaces/arborist/lib (``node.js``, ``edge.js``,
``gather-dep-set.js``, ``peer-entry-sets.js``, ``deepest-nesting-target.js``), without workspaces,
overrides, bundles and folders. Derived data is computed, not stored.
"""

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field

from benchmarks.resolver_truth.npm.versions import is_met_by, order

_PUNCTUATION = "_-,;:!?.'\"()[]{}@*/\\&#%`^+<=>|~$"


def locale_key(text: str) -> tuple[list[tuple[int, str]], str]:
    """Orders names as JavaScript's ``localeCompare`` does: punctuation, digits, letters."""
    folded = [
        (_PUNCTUATION.index(c), "") if c in _PUNCTUATION else (100 + c.isalpha(), c.lower())
        for c in text
    ]
    return folded, text.swapcase()


@dataclass(eq=False, slots=True)
class Edge:
    """A requirement of a node."""

    source: "Node"
    name: str
    """The folder in which the package is looked for: its name or an alias."""
    package: str
    """The package's name."""
    text: str
    kind: str
    """``prod``, ``optional``, ``peer`` or ``peerOptional``."""
    is_overridden: bool = False
    """Whether npm has given up on a peer."""

    @property
    def is_peer(self) -> bool:
        """Whether the package's user must install it."""
        return self.kind in {"peer", "peerOptional"}

    @property
    def is_optional(self) -> bool:
        """Whether it may have no target."""
        return self.kind in {"optional", "peerOptional"}

    @property
    def target(self) -> "Node | None":
        """The node with the name, found from the source."""
        return self.source.find(self.name)

    @property
    def is_valid(self) -> bool:
        """Whether the target meets the requirement."""
        target = self.target
        if target is None:
            return self.is_optional
        if self.is_peer and target.parent is self.source and self.source.parent:
            return False
        return self.is_met_by(target)

    def is_met_by(self, node: "Node") -> bool:
        """Whether a node would meet the requirement."""
        return node.name == self.name and (
            node.version is not None and is_met_by(node.version, self.text)
        )


@dataclass(eq=False, slots=True)
class Node:
    """A package in a folder ``node_modules``, or a project with such a folder.

    ``version`` is ``None`` for projects, and for packages that cannot be had.
    """

    name: str
    package: str = ""
    version: str | None = None
    parent: "Node | None" = None
    children: dict[str, "Node"] = field(default_factory=dict)
    edges: dict[str, Edge] = field(default_factory=dict)
    stands_for: "Node | None" = None
    """Of a virtual project: the node whose requirements it has."""
    is_link: bool = False

    @property
    def top(self) -> "Node":
        """The project."""
        node = self
        while node.parent:
            node = node.parent
        return node

    @property
    def depth(self) -> int:
        """Number of steps to the project."""
        return sum(1 for _ in self.ancestry()) - 1

    @property
    def path(self) -> str:
        """The folder."""
        names = [node.name for node in self.ancestry() if node.parent]
        return "".join(f"/node_modules/{name}" for name in reversed(names))

    def ancestry(self) -> Iterator["Node"]:
        """The node, its parent and so on."""
        node: Node | None = self
        while node:
            yield node
            node = node.parent

    def subtree(self) -> Iterator["Node"]:
        """The node and all nodes below it."""
        waiting = [self]
        while waiting:
            node = waiting.pop()
            yield node
            waiting.extend(node.children.values())

    def find(self, name: str) -> "Node | None":
        """The package that the node loads by a name."""
        for node in self.ancestry():
            if name in node.children:
                return node.children[name]
        return None

    def is_inside(self, other: "Node") -> bool:
        """Whether it is the other node or below it."""
        return any(node is other for node in self.ancestry())

    def incoming(self) -> list[Edge]:
        """The edges to the node."""
        return [
            edge
            for node in (self.parent.subtree() if self.parent else ())
            if (edge := node.edges.get(self.name)) and edge.target is self
        ]

    def matches(self, other: "Node") -> bool:
        """Whether both are the same version of the same package under the same name."""
        return (self.name, self.package, self.version) == (other.name, other.package, other.version)

    def put(self, parent: "Node") -> None:
        """Move the node, replacing a node with the same name."""
        if self.parent is not parent:
            self.remove()
            if self.name in parent.children:
                parent.children[self.name].remove()
            parent.children[self.name] = self
            self.parent = parent

    def remove(self) -> None:
        """Remove the node and all nodes below it."""
        if self.parent and self.parent.children.get(self.name) is self:
            del self.parent.children[self.name]
        self.parent = None

    def replace(self, other: "Node") -> None:
        """Take the place of another node, with all nodes below it."""
        parent = other.parent
        assert parent
        for child in list(other.children.values()):
            child.put(self)
        other.remove()
        self.put(parent)

    def can_replace(self, other: "Node", ignored_peers: Collection[str] = ()) -> bool:
        """Whether the node meets all requirements on the other one."""
        if (self.name, self.package) != (other.name, other.package):
            return False
        only = dependency_set([other], lambda edge: edge.target is not other and edge.is_valid)
        return all(
            edge.is_met_by(self)
            for edge in other.incoming()
            if edge.source not in only
            and not (
                edge.is_peer
                and edge.source.parent is other.parent
                and edge.source.name in ignored_peers
            )
        )

    def is_duplicate(self, *, prefer_fewer: bool) -> bool:
        """Whether it is unnecessary, because it is unused or a node further up suffices."""
        if not self.parent or not self.parent.parent:
            return False
        incoming = self.incoming()
        if not incoming:
            return True
        other = self.parent.parent.find(self.name)
        if other is None:
            return False
        if other.matches(self):
            return True
        if not other.can_replace(self):
            return False
        return prefer_fewer or order(other.version or "") >= order(self.version or "")


def dependency_set(nodes: Iterable[Node], follows: Callable[[Edge], bool]) -> set[Node]:
    """The nodes, and all nodes that only they require."""
    found = dict.fromkeys(nodes)
    waiting = list(found)
    while waiting:
        for edge in waiting.pop().edges.values():
            target = edge.target
            if target and target not in found and follows(edge):
                found[target] = None
                waiting.append(target)
    changed = True
    while changed and found:
        changed = False
        for node in list(found):
            if any(edge.source not in found and follows(edge) for edge in node.incoming()):
                changed = True
                del found[node]
    return set(found)


def deepest_place(start: Node, name: str) -> Node:
    """The deepest node below which a package for the start could be."""
    for node in start.ancestry():
        edge = node.edges.get(name)
        if not node.parent or not edge or not edge.is_peer:
            return node
    raise AssertionError("every ancestry ends in a project")


def peer_sets(node: Node) -> dict[Edge, set[Node]]:
    """The sets of peers of the node, by their entry edges."""
    union = {node: None}
    waiting = [node]
    while waiting:
        each = waiting.pop()
        near = [e.target for e in each.edges.values() if e.is_peer and e.target and e.is_valid]
        near += [e.source for e in each.incoming() if e.is_peer and e.is_valid]
        for other in near:
            if other not in union:
                union[other] = None
                waiting.append(other)
    found: dict[Edge, set[Node]] = {}
    for peer in union:
        for edge in peer.incoming():
            if edge.is_valid and (not edge.is_peer or not edge.source.parent):
                brought = _peers_of(peer)
                if node in brought:
                    found[edge] = brought
    return found


def _peers_of(node: Node) -> set[Node]:
    found = {node}
    waiting = [node]
    while waiting:
        for edge in waiting.pop().edges.values():
            target = edge.target
            if edge.is_peer and target and target not in found and edge.is_valid:
                found.add(target)
                waiting.append(target)
    return found
