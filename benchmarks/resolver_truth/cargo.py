"""Cargo's lock file, resolved from the graph and by Cargo itself.

After https://github.com/rust-lang/cargo/tree/master/src/cargo/core/resolver: a lock file covers
all targets and has build requirements. Compatible requirements of a crate get one version with all
their features. An optional crate is included if an enabled feature enables it or would pass a
feature to it (``crate?/feature``).
"""

import re
import subprocess
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from pathlib import Path
from shutil import which

from benchmarks.resolver_truth.graph import Graph, StoredPackage, StoredVersion
from benchmarks.resolver_truth.interface import Pins, Root, Unresolvable
from benchmarks.resolver_truth.prereleases import admits
from ssc_ingest.ecosystems.crates.ranges import parse_range
from ssc_ingest.ecosystems.semver import SemVer, parse_version

MAX_STEPS = 200_000
"""Choices until a resolution is given up."""

MANIFEST = """
[package]
name = "project"
version = "1.0.0"
edition = "2021"
[dependencies]
{name} = "={version}"
"""


class Cargo:
    """The installed Cargo, with the resolver of edition 2021."""

    ecosystem = "cargo"

    def latest(self, package: StoredPackage) -> str | None:
        """The graph's."""
        return package.latest

    def resolve(self, graph: Graph, root: Root) -> Pins:
        """What the lock file of a project has that requires the root."""
        crates = _Crates(graph)
        wanted = Dependency(root.name, root.name, f"={root.version.partition('+')[0]}")
        found = _Resolution(crates).solve(wanted)
        return frozenset(f"{each.crate}=={each.version.name}" for each in found)

    def lock(self, root: Root, folder: Path) -> Pins:
        """``cargo generate-lockfile``."""
        (folder / "src").mkdir()
        (folder / "src/lib.rs").touch()
        version = root.version.partition("+")[0]
        (folder / "Cargo.toml").write_text(MANIFEST.format(name=root.name, version=version))
        return lock(folder)


def lock(folder: Path) -> Pins:
    """The packages of the lock file that Cargo makes for the project in a folder.

    Raises:
        Unresolvable: Cargo fails or is not installed.
    """
    cargo = which("cargo")
    if cargo is None:
        raise Unresolvable("Cargo is not installed")
    command = [cargo, "generate-lockfile", "--quiet"]
    run = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if run.returncode:
        raise Unresolvable(f"Cargo: {run.stderr.strip()[:500]}")
    packages = tomllib.loads((folder / "Cargo.lock").read_text())["package"]
    return frozenset(f"{p['name']}=={p['version']}" for p in packages if "source" in p)


@dataclass(frozen=True, slots=True)
class Dependency:
    """A declaration of a requirement."""

    crate: str
    name: str
    """The name in the manifest."""
    range: str
    is_optional: bool = False
    features: frozenset[str] = frozenset()
    with_default: bool = True


class MissingFeature(Exception):
    """A version does not have a required feature."""


@dataclass(frozen=True)
class Release:
    """A version of a crate, with its features."""

    crate: str
    version: StoredVersion
    dependencies: Sequence[Dependency]
    features: Mapping[str, Sequence[str]]

    @cached_property
    def line(self) -> tuple[str, int, int, int]:
        """Equal for compatible versions."""
        major, minor, patch, *_ = _order(self.version.name)[0]
        if major:
            return self.crate, major, 0, 0
        return (self.crate, 0, minor, 0) if minor else (self.crate, 0, 0, patch)

    @cached_property
    def implicit(self) -> frozenset[str]:
        """The implicit features of optional dependencies, which ``dep:`` disables."""
        hidden = {
            each[4:] for values in self.features.values() for each in values if each[:4] == "dep:"
        }
        optional = {each.name for each in self.dependencies if each.is_optional}
        return frozenset(optional - hidden - self.features.keys())

    def enabled(self, features: Iterable[str], *, with_default: bool) -> list[Dependency]:
        """The dependencies that these features enable, each with its features.

        Raises:
            MissingFeature: the version has no such feature.
        """
        passed: dict[str, set[str]] = {}
        seen: set[str] = set()
        waiting = list(features)
        if with_default and ("default" in self.features or "default" in self.implicit):
            waiting.append("default")
        while waiting:
            self._enable(waiting.pop(), waiting, seen, passed)
        return [
            replace(each, features=each.features | passed.get(each.name, set()))
            for each in self.dependencies
            if not each.is_optional or each.name in passed
        ]

    def _enable(
        self, value: str, waiting: list[str], seen: set[str], passed: dict[str, set[str]]
    ) -> None:
        if value.startswith("dep:"):
            passed.setdefault(value[4:], set())
        elif "/" in value:
            name, _, feature = value.partition("/")
            is_weak = name.endswith("?")
            name = name.removesuffix("?")
            is_feature = name in self.features or name in self.implicit
            is_optional = any(d.is_optional and d.name == name for d in self.dependencies)
            if not is_weak and is_feature and is_optional:
                waiting.append(name)
            passed.setdefault(name, set()).add(feature)
        elif value not in seen:
            seen.add(value)
            if value in self.features:
                waiting.extend(self.features[value])
            elif value in self.implicit:
                passed.setdefault(value, set())
            else:
                raise MissingFeature(value)


class _Crates:
    """The crates of the graph."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._candidates: dict[tuple[str, str], tuple[StoredVersion, ...]] = {}
        self._releases: dict[str, Release] = {}

    def candidates(self, dependency: Dependency) -> tuple[StoredVersion, ...]:
        """The versions in the range that are not yanked, highest first."""
        key = dependency.crate, dependency.range
        if key not in self._candidates:
            package = self._graph.package(dependency.crate)
            found = [
                each
                for each in (package.versions.values() if package else ())
                if not each.properties.get("yanked") and _admits(dependency.range, each.name)
            ]
            found.sort(key=lambda each: _order(each.name), reverse=True)
            self._candidates[key] = tuple(found)
        return self._candidates[key]

    def release(self, crate: str, version: StoredVersion) -> Release:
        """The version with its dependencies and features."""
        if version.purl not in self._releases:
            package = self._graph.package(crate)
            self._releases[version.purl] = Release(
                package.name if package else crate,
                version,
                [
                    Dependency(
                        crate=requirement.name,
                        name=each.get("alias", requirement.name),
                        range=each["text"],
                        is_optional=each.get("optional", False),
                        features=frozenset(each.get("features", ())),
                        with_default=each.get("default_features", True),
                    )
                    for requirement in self._graph.requirements(version)
                    for each in requirement.declarations
                ],
                self._graph.table(version, "features"),
            )
        return self._releases[version.purl]

    def is_unknown(self, dependency: Dependency) -> bool:
        """Whether the crate is not extracted yet."""
        return self._graph.package(dependency.crate) is None


@dataclass
class _State:
    """The chosen versions, and the open dependencies."""

    active: dict[tuple[str, int, int, int], Release] = field(default_factory=dict)
    given: dict[tuple[str, int, int, int], frozenset[str]] = field(default_factory=dict)
    """The features that have been asked for, by line; ``""`` stands for the default ones."""
    frames: list[tuple[Dependency, ...]] = field(default_factory=list)
    """Dependencies of one activation, those with the fewest candidates first."""

    def copy(self) -> "_State":
        return _State(dict(self.active), dict(self.given), list(self.frames))


class _Resolution:
    """A search with backtracking, in Cargo's order of choices."""

    def __init__(self, crates: _Crates) -> None:
        self._crates = crates

    def solve(self, root: Dependency) -> list[Release]:
        """The chosen releases.

        Raises:
            Unresolvable: the requirements have no solution, or no solution was found in reasonable
                time.
        """
        state = _State(frames=[(root,)])
        alternatives: list[tuple[_State, Dependency, Iterator[StoredVersion]]] = []
        for _ in range(MAX_STEPS):
            dependency = self._pop(state)
            if dependency is None:
                return list(state.active.values())
            if self._crates.is_unknown(dependency):
                continue
            alternatives.append((state, dependency, iter(self._crates.candidates(dependency))))
            while alternatives:
                before, dependency, candidates = alternatives[-1]
                chosen = self._choose(before, dependency, candidates)
                if chosen:
                    state = chosen
                    break
                alternatives.pop()
            else:
                raise Unresolvable(f"no version of {dependency.crate} {dependency.range} fits")
        raise Unresolvable(f"no solution in {MAX_STEPS} steps")

    def _pop(self, state: _State) -> Dependency | None:
        """The dependency with the fewest candidates."""
        if not state.frames:
            return None
        place = min(
            range(len(state.frames)),
            key=lambda n: len(self._crates.candidates(state.frames[n][0])),
        )
        first, *rest = state.frames[place]
        if rest:
            state.frames[place] = tuple(rest)
        else:
            del state.frames[place]
        return first

    def _choose(
        self, before: _State, dependency: Dependency, candidates: Iterator[StoredVersion]
    ) -> _State | None:
        """The state with the next possible candidate."""
        for version in candidates:
            release = self._crates.release(dependency.crate, version)
            active = before.active.get(release.line)
            if active is not None and active.version.name != version.name:
                continue
            wanted = dependency.features | ({""} if dependency.with_default else set())
            given = before.given.get(release.line)
            if given is not None and wanted <= given:
                return before.copy()
            try:
                needed = release.enabled(dependency.features, with_default=dependency.with_default)
            except MissingFeature:
                continue
            state = before.copy()
            state.active[release.line] = release
            state.given[release.line] = (given or frozenset()) | wanted
            if needed:
                needed.sort(key=lambda each: len(self._crates.candidates(each)))
                state.frames.append(tuple(needed))
            return state
        return None


@lru_cache(maxsize=65_536)
def _order(version: str) -> tuple[SemVer, tuple[tuple[int, int | str], ...]]:
    """Cargo's order of versions, which includes build metadata."""
    build = version.partition("+")[2]
    parts = re.split(r"\.", build) if build else []
    key = tuple((0, int(part)) if part.isdecimal() else (1, part) for part in parts)
    return parse_version(version) or SemVer(-1, 0, 0), key


@lru_cache(maxsize=262_144)
def _admits(text: str, version: str) -> bool:
    range_, parsed = parse_range(text), parse_version(version)
    return range_ is not None and parsed is not None and admits(range_, parsed)
