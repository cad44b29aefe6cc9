"""The interface of an ecosystem's module."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from benchmarks.resolver_truth.graph import Graph, StoredPackage

Pins = frozenset[str]
"""Of an installation: ``name==version`` of every package in it, without the root project's."""


@dataclass(frozen=True, slots=True)
class Root:
    """A package that a project requires in exactly one version."""

    name: str
    version: str


class Unresolvable(Exception):
    """The resolver or the tool finds no solution; the text has the reason."""


class Resolver(Protocol):
    """One ecosystem."""

    ecosystem: str
    """As the program's settings and queues spell it."""

    def latest(self, package: StoredPackage) -> str | None:
        """The version that the tool installs for the bare name."""

    def resolve(self, graph: Graph, root: Root) -> Pins:
        """The packages of an installation of the root, from the graph only.

        A package that ``graph.package`` does not have counts as one without versions. The graph
        notes it, and the resolver is called again after its extraction. A resolver may stop at
        such a package, or continue without it to find more of them at once.

        Raises:
            Unresolvable: the requirements have no solution.
        """

    def lock(self, root: Root, folder: Path) -> Pins:
        """The packages in the lock file of the ecosystem's tool; ``folder`` is empty.

        Raises:
            Unresolvable: the tool finds no solution or is not installed.
        """
