"""pip's resolution from the graph, with resolvelib as in pip.

After https://github.com/pypa/pip/tree/main/src/pip/_internal/resolution/resolvelib. It does not
check whether a version has a file for the platform, because the graph has no files.
"""

import operator
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property, reduce
from pathlib import Path
from typing import Any, TypeAlias

from packaging.markers import default_environment
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from resolvelib import AbstractProvider, BaseReporter, Resolver
from resolvelib.resolvers import ResolutionImpossible, ResolutionTooDeep
from resolvelib.structs import RequirementInformation

from benchmarks.resolver_truth.graph import Graph, StoredPackage
from benchmarks.resolver_truth.interface import Pins, Root, Unresolvable
from benchmarks.resolver_truth.pip.candidates import (
    Candidate,
    Environment,
    Projects,
    Wanted,
    latest,
)
from benchmarks.resolver_truth.pip.tool import lock, pin, pip_of

MAX_ROUNDS = 200_000

Name: TypeAlias = tuple[str, frozenset[str]]
"""A project and extras of it: each choice of extras is a node of the resolution."""

Cause: TypeAlias = RequirementInformation[Wanted, Candidate]


class Pip:
    """pip for an environment, by default this one."""

    ecosystem = "pypi"

    def __init__(self, environment: Environment | None = None) -> None:
        self._environment = environment or {**default_environment()}  # type: ignore[dict-item]

    def latest(self, package: StoredPackage) -> str | None:
        """The highest release for the environment's Python."""
        return latest(package, self._environment)

    def resolve(self, graph: Graph, root: Root) -> Pins:
        """The packages that pip would install for this version of the root."""
        wanted = Wanted(canonicalize_name(root.name), SpecifierSet(f"=={root.version}"))
        projects = Projects(graph, self._environment)
        resolver: Resolver[Wanted, Candidate, Name] = Resolver(_Provider(projects), BaseReporter())
        try:
            found = resolver.resolve([wanted], max_rounds=MAX_ROUNDS)
        except (ResolutionImpossible, ResolutionTooDeep) as error:
            raise Unresolvable(f"pip finds no solution: {error}"[:500]) from error
        return frozenset(
            pin(each.project, str(each.version)) for each in found.mapping.values() if each.version
        )

    def lock(self, root: Root, folder: Path) -> Pins:
        """``pip install --dry-run --report``."""
        return lock(root, folder, python=self._python)

    @cached_property
    def _python(self) -> Path:
        self._folder = tempfile.TemporaryDirectory()
        return pip_of(Path(self._folder.name))


class _Provider(AbstractProvider[Wanted, Candidate, Name]):
    """pip's preferences; see its ``provider.py``."""

    def __init__(self, projects: Projects) -> None:
        self._projects = projects
        self._order: dict[Name, int] = {}

    def identify(self, requirement_or_candidate: Wanted | Candidate) -> Name:
        return requirement_or_candidate.project, requirement_or_candidate.extras

    def get_preference(
        self,
        identifier: Name,
        resolutions: Mapping[Name, Candidate],
        candidates: Mapping[Name, Iterator[Candidate]],
        information: Mapping[Name, Iterator[Cause]],
        backtrack_causes: Sequence[Cause],
    ) -> Any:
        """Pins first, then upper bounds, then requested projects, then other bounds, by name."""
        del resolutions, candidates, backtrack_causes
        specifiers = [s for cause in information[identifier] for s in cause.requirement.specifiers]
        operators = [(s.operator, s.version) for s in specifiers]
        pinned = any(op == "===" or (op == "==" and "*" not in v) for op, v in operators)
        upper = any(op in {"<", "<=", "~="} or (op == "==" and "*" in v) for op, v in operators)
        is_asked_for = any(cause.parent is None for cause in information[identifier])
        return not pinned, not upper, not is_asked_for, not operators, str(identifier)

    def narrow_requirement_selection(
        self,
        identifiers: Iterable[Name],
        resolutions: Mapping[Name, Candidate],
        candidates: Mapping[Name, Iterator[Candidate]],
        information: Mapping[Name, Iterator[Cause]],
        backtrack_causes: Sequence[Cause],
    ) -> Iterable[Name]:
        """Causes of a conflict come first."""
        del resolutions, candidates, information
        identifiers = list(identifiers)
        causes = {
            name
            for cause in backtrack_causes
            for name in (
                self.identify(cause.requirement),
                *([self.identify(cause.parent)] if cause.parent else []),
            )
        }
        return [name for name in identifiers if name in causes] or identifiers

    def find_matches(
        self,
        identifier: Name,
        requirements: Mapping[Name, Iterator[Wanted]],
        incompatibilities: Mapping[Name, Iterator[Candidate]],
    ) -> Iterable[Candidate]:
        """Best first. Requirements with other extras also limit the version."""
        project, extras = identifier
        wanted = [
            each
            for name, each_of in ((n, list(requirements[n])) for n in requirements)
            if name in {identifier, (project, frozenset())}
            for each in each_of
        ]
        specifiers = reduce(operator.and_, (each.specifiers for each in wanted), SpecifierSet())
        excluded = {each.version for each in incompatibilities[identifier]}
        return [
            candidate
            for candidate in self._projects.candidates(project, extras, specifiers)
            if candidate.version not in excluded
        ]

    def is_satisfied_by(self, requirement: Wanted, candidate: Candidate) -> bool:
        if requirement.project != candidate.project:
            return False
        return candidate.version is None or requirement.specifiers.contains(
            candidate.version, prereleases=True
        )

    def get_dependencies(self, candidate: Candidate) -> Iterable[Wanted]:
        """A project with extras also requires the same version without extras."""
        if candidate.extras and candidate.version:
            yield Wanted(candidate.project, SpecifierSet(f"==={candidate.version}"))
        yield from self._projects.requirements(candidate)
