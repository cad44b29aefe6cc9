"""What an ecosystem's module has to offer."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from benchmarks.resolver_truth.graph import Graph

Pins = frozenset[str]
"""Of an installation: ``name==version`` of every package in it, without the root project's."""


@dataclass(frozen=True, slots=True)
class Root:
    """A package that a project requires, in exactly this version."""

    name: str
    version: str


class Unresolvable(Exception):
    """The resolver or the tool finds no solution; the text says why."""


class Resolver(Protocol):
    """One ecosystem."""

    ecosystem: str
    """As the program's settings and queues spell it."""

    def resolve(self, graph: Graph, root: Root) -> Pins:
        """What an installation of the root takes, from the graph alone.

        A package that ``graph.package`` does not have counts as one without versions: the graph
        notes it, and the resolver is asked again when it has been extracted. Work that such a
        package cuts off is fine; a resolver may go on without it, to find more of them at once.

        Raises:
            Unresolvable: there is no solution.
        """

    def lock(self, root: Root, folder: Path) -> Pins:
        """What the ecosystem's tool writes into its lock file; ``folder`` is empty.

        Raises:
            Unresolvable: the tool says that there is no solution, or is not installed.
        """
