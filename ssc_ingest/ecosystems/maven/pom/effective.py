"""Maven's effective model: a POM together with the POMs that it inherits from.

https://maven.apache.org/ref/current/maven-model-builder/ defines the order: first inheritance, on
raw texts (the child's declaration of a dependency replaces its parents'), then interpolation, in
which even a parent's texts see the child's properties and coordinates.
"""

import re
from collections.abc import Iterator, Mapping
from itertools import takewhile

from ssc_ingest.ecosystems.maven.identity import Coordinates
from ssc_ingest.ecosystems.maven.pom.model import Declaration, Key, Pom

MAX_TEXT_LENGTH = 4096
"""Characters of an interpolated text; expressions that would make it longer stay as they are."""

MAX_EXPRESSION_DEPTH = 32
"""Properties in a chain of references."""

_EXPRESSION = re.compile(r"\$\{([^${}]+)\}")
_PREFIXES = ("project.", "pom.")
_NOT_INHERITED = frozenset({"name", "packaging"})
_DEFAULTS = {"packaging": "jar"}


class EffectivePom:
    """A POM and its lineage: itself, its parent, its grandparent, up to the first missing one."""

    def __init__(self, relatives: Mapping[Coordinates, Pom]) -> None:
        """``relatives`` is the lineage, each POM under the coordinates by which it was found."""
        self.places = tuple(relatives)
        self.coordinates = self.places[0]
        self.lineage = tuple(relatives.values())
        self._resolved: dict[str, str | None] = {}
        self._depth = 0

    @property
    def dependencies(self) -> list[Declaration]:
        """Its own and inherited dependencies; versions and scopes may still be missing."""
        merged: dict[Key, Declaration] = {}
        for pom in self.lineage:
            for key, declaration in pom.dependencies.items():
                merged.setdefault(key, declaration)
        return list(map(self._interpolated, merged.values()))

    @property
    def imports(self) -> Iterator[Coordinates]:
        """The bills of materials that manage its dependencies, in order of precedence."""
        merged: dict[Key, Declaration] = {}
        for pom in self.lineage:
            for key, declaration in pom.imports.items():
                merged.setdefault(key, declaration)
        for declaration in merged.values():
            found = self._interpolated(declaration)
            yield Coordinates(found.group, found.artifact, found.version)

    @property
    def relocation(self) -> Coordinates | None:
        """The coordinates that replace this POM's, if it was relocated; not inherited."""
        target = self.lineage[0].relocation
        if target is None:
            return None
        given = map(self.interpolate, target)
        return Coordinates(*(new or old for new, old in zip(given, self.coordinates, strict=True)))

    @property
    def released_together(self) -> list[Pom]:
        """The POM and its parents, up to the first that has another version."""
        version = self.coordinates.version
        same = takewhile(lambda place: place.version == version, self.places)
        return [pom for _, pom in zip(same, self.lineage, strict=False)]

    def managed(self, key: Key) -> Declaration | None:
        """The entry of its own or inherited ``dependencyManagement``, without imports."""
        for pom in self.lineage:
            for artifact in (key.artifact, ""):
                for declaration in reversed(pom.managed.get(artifact, ())):
                    found = self._interpolated(declaration)
                    if found.key == key:
                        return found
        return None

    def interpolate(self, text: str) -> str:
        """The text with its expressions replaced; unknown expressions stay.

        The innermost expressions come first, so ``${version.${kind}}`` works.
        """
        while "${" in text and len(text) <= MAX_TEXT_LENGTH:
            replaced = _EXPRESSION.sub(self._replacement, text)
            if replaced == text or len(replaced) > MAX_TEXT_LENGTH:
                break
            text = replaced
        return text

    def _replacement(self, expression: re.Match[str]) -> str:
        value = self._resolve(expression[1])
        return expression[0] if value is None else value

    def _interpolated(self, declaration: Declaration) -> Declaration:
        if not any("${" in text for text in declaration):
            return declaration
        return Declaration(*map(self.interpolate, declaration))

    def _resolve(self, name: str) -> str | None:
        """A property's interpolated value; ``None`` if it has none or refers to itself."""
        if name not in self._resolved:
            if self._depth >= MAX_EXPRESSION_DEPTH:
                return None
            self._resolved[name] = None
            value = self._look_up(name)
            if value is not None:
                self._depth += 1
                value = self.interpolate(value)
                self._depth -= 1
                self._resolved[name] = None if f"${{{name}}}" in value else value
        return self._resolved[name]

    def _look_up(self, name: str) -> str | None:
        """As Maven's AbstractStringBasedModelInterpolator: elements, properties, elements."""
        for prefix in _PREFIXES:
            if name.startswith(prefix):
                value = self._element(name.removeprefix(prefix))
                if value is not None:
                    return value
        for pom in self.lineage:
            if name in pom.properties:
                return pom.properties[name]
        return self._element(name)

    def _element(self, name: str) -> str | None:
        group, artifact, version = self.coordinates
        parent = self.lineage[0].parent
        elements = {"groupId": group, "artifactId": artifact, "version": version}
        if parent:
            elements |= {
                "parent.groupId": parent.group,
                "parent.artifactId": parent.artifact,
                "parent.version": parent.version,
            }
        if name in elements:
            return elements[name]
        for pom in self.lineage[:1] if name in _NOT_INHERITED else self.lineage:
            if name in pom.values:
                return pom.values[name]
        return _DEFAULTS.get(name)
