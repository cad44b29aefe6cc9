"""npm's tree, resolved from the graph and by npm itself.

After https://github.com/npm/cli/blob/latest/workspaces/arborist/lib/arborist/build-ideal-tree.js.
Packages go to the highest place without a conflict, and peers beside the packages that require
them. The lock file has optional packages of all platforms.
"""

import json
import subprocess
from pathlib import Path
from shutil import which

from benchmarks.resolver_truth.graph import Graph, StoredPackage
from benchmarks.resolver_truth.interface import Pins, Root, Unresolvable
from benchmarks.resolver_truth.npm.placing import Placement, Verdict
from benchmarks.resolver_truth.npm.tree import Edge, Node, locale_key
from benchmarks.resolver_truth.npm.versions import Runtimes, is_from_registry, pick


class Npm:
    """The installed npm."""

    ecosystem = "npm"

    def __init__(self, runtimes: Runtimes | None = None) -> None:
        self._runtimes = runtimes or Runtimes(_said("node").lstrip("v"), _said("npm"))

    def latest(self, package: StoredPackage) -> str | None:
        """The version of the tag ``latest``."""
        return package.latest

    def resolve(self, graph: Graph, root: Root) -> Pins:
        """What the lock file of a project has that requires the root."""
        project = Node("project")
        project.edges[root.name] = Edge(project, root.name, root.name, root.version, "prod")
        _Builder(graph, self._runtimes, project).build()
        needed = _needed(project)
        for node in project.subtree():
            if node.parent and node.version is None and node in needed:
                raise Unresolvable(f"npm finds no version for {node.name}")
        return frozenset(
            f"{node.package}=={node.version}"
            for node in project.subtree()
            if node.parent and node.version is not None and not node.is_link
        )

    def lock(self, root: Root, folder: Path) -> Pins:
        """``npm install --package-lock-only``; bundled packages are not counted."""
        manifest = {
            "name": "project",
            "version": "1.0.0",
            "dependencies": {root.name: root.version},
        }
        (folder / "package.json").write_text(json.dumps(manifest))
        return lock(folder)


def lock(folder: Path, *arguments: str) -> Pins:
    """The packages of the lock file that npm makes for the project in a folder.

    Raises:
        Unresolvable: npm fails or is not installed.
    """
    npm = which("npm")
    if npm is None:
        raise Unresolvable("npm is not installed")
    run = subprocess.run(
        [npm, "install", "--package-lock-only", "--no-audit", "--no-fund", "--ignore-scripts",
         *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    if run.returncode:
        raise Unresolvable(f"npm: {run.stderr.strip()[:500]}")
    packages = json.loads((folder / "package-lock.json").read_text())["packages"]
    return frozenset(
        f"{entry.get('name') or path.rpartition('node_modules/')[2]}=={entry['version']}"
        for path, entry in packages.items()
        if path and not entry.get("link") and not entry.get("inBundle")
    )


class _Builder:
    """Builds the tree of one project."""

    def __init__(self, graph: Graph, runtimes: Runtimes, project: Node) -> None:
        self._graph = graph
        self._runtimes = runtimes
        self._project = project
        self._waiting: dict[Node, None] = {project: None}
        self._seen: set[Node] = set()
        self._virtual: dict[Node, Node] = {}
        self._sources: dict[Node, Node] = {}
        """The node that caused a package to be loaded as a peer."""

    def build(self) -> None:
        while self._waiting:
            node = min(self._waiting, key=lambda n: (n.depth, locale_key(n.path)))
            del self._waiting[node]
            if node not in self._seen and node.top is self._project:
                self._seen.add(node)
                self._fill(node)

    def _fill(self, node: Node) -> None:
        """Add the packages that the node requires to the tree."""
        source = self._sources.get(node, node)
        found = [
            (edge, self._package_for(edge, source if edge.is_peer else node))
            for edge in _problems(node)
            if not edge.is_overridden
        ]
        for edge, package in sorted(found, key=lambda each: locale_key(each[0].name)):
            for placement in Placement(package, edge).all():
                self._follow(placement)

    def _package_for(self, edge: Edge, source: Node) -> Node:
        virtual = self._virtual_project(source, reuse=True)
        known = virtual.edges.get(edge.name)
        node = known.target if known and known.is_valid else None
        if node and edge.is_met_by(node):
            return node
        if edge.kind == "peerOptional":
            for other in _by_depth(edge.source.parent or edge.source):
                if edge.is_met_by(other):
                    return other
        return self._load(edge, virtual if edge.is_peer else None, None, {edge.source})

    def _follow(self, placement: Placement) -> None:
        """Check the nodes that a placement has changed."""
        placed, check = placement.placed, placement.check
        if placed is None or check is None:
            return
        for edge in placed.incoming():
            if edge is placement.edge or edge.is_valid or edge.is_overridden:
                continue
            self._seen.discard(edge.source)
            self._waiting[edge.source] = None
        self._waiting[placed] = None
        for node in placement.to_evaluate:
            self._seen.discard(node)
            self._waiting[node] = None
        assert check.alone is not Verdict.CONFLICT

    # Packages and their peers -----------------------------------------------------------

    def _virtual_project(self, source: Node, *, reuse: bool = False) -> Node:
        """A project with the requirements of a node, for trying its packages and their peers."""
        if reuse and source in self._virtual:
            return self._virtual[source]
        virtual = Node(source.name, stands_for=source)
        virtual.edges = {
            edge.name: Edge(virtual, edge.name, edge.package, edge.text, edge.kind)
            for edge in source.edges.values()
        }
        self._virtual[source] = virtual
        return virtual

    def _load(
        self, edge: Edge, parent: Node | None, second: Edge | None, required: set[Node]
    ) -> Node:
        """The package for an edge, with its peers, in a virtual project."""
        parent = parent or self._virtual_project(edge.source)
        node = self._node(edge, parent)
        if second and not second.is_valid:
            other = self._node(second, parent)
            if edge.is_valid:
                node = other
        node.put(parent)
        if (edge.source in required and edge.kind != "peerOptional") or (
            second and second.source in required and second.kind != "peerOptional"
        ):
            required.add(node)
        assert parent.stands_for
        self._sources[node] = parent.stands_for
        self._load_peers(node, required)
        return node

    def _load_peers(self, node: Node, required: set[Node]) -> None:  # noqa: C901 - npm's own cases
        edges = [e for e in node.edges.values() if e.is_peer and not (e.target and e.is_valid)]
        for edge in sorted(edges, key=lambda e: locale_key(e.name)):
            parent = node.parent
            if parent is None:
                return
            if edge.target and edge.is_valid:
                continue
            assert parent.stands_for
            is_ours = parent.stands_for.parent is None
            wanted = parent.edges.get(edge.name)
            if edge.target is None:
                if wanted is None:
                    self._load(edge, parent, None, required)
                    continue
                found = self._load(wanted, parent, edge, required)
                if edge.is_valid:
                    continue
                if not is_ours or found not in required:
                    edge.is_overridden = True
                    continue
                if node.parent is None:
                    return
                raise Unresolvable(f"npm gives up on the peer {edge.name} of {node.name}")
            current = edge.target
            if self._load(edge, None, None, required).can_replace(current):
                self._load(edge, parent, None, required)
            elif is_ours and edge.source in required:
                raise Unresolvable(f"npm gives up on the peer {edge.name} of {node.name}")

    def _node(self, edge: Edge, parent: Node) -> Node:
        """The version that npm picks for an edge, below the parent."""
        node = Node(edge.name, edge.package)
        package = self._graph.package(edge.package) if is_from_registry(edge.text) else None
        version = pick(package, edge.text, self._runtimes) if package else None
        if package and version:
            node.package, node.version = package.name, version.name
            for name, peer in self._graph.table(version, "peer_requirements").items():
                kind = "peerOptional" if peer.get("optional") else "peer"
                self._add(node, name, name, peer["range"], kind)
            for requirement in self._graph.requirements(version):
                for each in requirement.declarations:
                    kind = "optional" if each.get("optional") else "prod"
                    name = each.get("alias", requirement.name)
                    self._add(node, name, requirement.name, each["text"], kind)
        node.put(parent)
        return node

    @staticmethod
    def _add(node: Node, name: str, package: str, text: str, kind: str) -> None:
        if text.startswith("npm:"):  # of a peer
            target = text[4:]
            package, _, text = target[1:].partition("@")
            package = target[0] + package
        node.edges.pop(name, None)
        node.edges[name] = Edge(node, name, package, text, kind)


def _problems(node: Node) -> list[Edge]:
    """The edges without a target or with an unsuitable one."""
    return [
        edge
        for edge in node.edges.values()
        if (edge.kind != "peerOptional" if edge.target is None else not edge.is_valid)
        and not (edge.target and edge.target.version is None)
    ]


def _by_depth(node: Node) -> list[Node]:
    found = list(node.children.values())
    for each in found:
        found.extend(each.children.values())
    return found


def _needed(project: Node) -> set[Node]:
    """The nodes that are necessary for the installation."""
    found, waiting = {project}, [project]
    while waiting:
        for edge in waiting.pop().edges.values():
            target = edge.target
            if target and target not in found and not edge.is_optional:
                found.add(target)
                waiting.append(target)
    return found


def _said(program: str) -> str:
    path = which(program)
    if path is None:
        raise Unresolvable(f"{program} is not installed")
    return subprocess.run(
        [path, "--version"], capture_output=True, text=True, check=True
    ).stdout.strip()
