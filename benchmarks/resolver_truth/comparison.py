"""Resolves from the graph, extracts missing packages, and compares with the tool."""

import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.resolver_truth.extraction import Extraction
from benchmarks.resolver_truth.graph import Graph
from benchmarks.resolver_truth.interface import Pins, Resolver, Root, Unresolvable


@dataclass(frozen=True, slots=True)
class Comparison:
    """The results of the graph and the tool for one root. A text is the reason for a failure."""

    root: Root
    graph: Pins | str
    tool: Pins | str

    @property
    def is_equal(self) -> bool:
        """Whether both have the same pins."""
        return self.graph == self.tool and not isinstance(self.graph, str)


def compare(
    resolver: Resolver, extraction: Extraction, names: Sequence[str]
) -> Iterable[Comparison]:
    """Compare roots, each ``name`` (:meth:`Resolver.latest`) or ``name@version``."""
    graph = Graph(extraction.driver, resolver.ecosystem)
    asked: set[str] = set()
    resolved: dict[str, Pins | str] = {}
    while waiting := [name for name in names if name not in resolved]:
        missing: dict[str, str] = {}
        for name in waiting:
            graph.forget_missing()
            found = _resolve(resolver, graph, name)
            if graph.missing.keys() <= asked:
                resolved[name] = found
            missing |= {purl: n for purl, n in graph.missing.items() if purl not in asked}
        if missing:
            _say(f"{len(waiting)} roots to resolve, {len(missing)} packages to extract")
            extraction.extract(resolver.ecosystem, missing.values())
            asked |= missing.keys()
    for name in names:
        graph.forget_missing()
        root = _root(resolver, graph, name)
        _say(f"{name}: the tool")
        yield Comparison(root, resolved[name], _lock(resolver, root))


def _resolve(resolver: Resolver, graph: Graph, name: str) -> Pins | str:
    root = _root(resolver, graph, name)
    if not root.version:
        return "not in the graph"
    try:
        return resolver.resolve(graph, root)
    except Unresolvable as error:
        return str(error)


def _lock(resolver: Resolver, root: Root) -> Pins | str:
    if not root.version:
        return "not asked"
    with tempfile.TemporaryDirectory() as folder:
        try:
            return resolver.lock(root, Path(folder))
        except Unresolvable as error:
            return str(error)


def _root(resolver: Resolver, graph: Graph, name: str) -> Root:
    place = name.find("@", 1)
    if place > 0:
        graph.package(name[:place])
        return Root(name[:place], name[place + 1 :])
    package = graph.package(name)
    version = package and resolver.latest(package)
    return Root(package.name if package else name, version or "")


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")
