"""Maven's effective model: a POM merged with its parents.

https://maven.apache.org/ref/current/maven-model-builder/ defines the order: first inheritance, on
raw texts (the child's declaration of a dependency replaces its parents'), then interpolation, in
which even a parent's texts see the child's properties and coordinates.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import takewhile

from ssc_ingest.ecosystems.maven.identity import Coordinates
from ssc_ingest.ecosystems.maven.pom.model import (
    Declaration,
    Key,
    Pom,
    is_import,
    last_of_each,
    raw_artifact,
)
from ssc_ingest.ecosystems.maven.pom.profiles import PLATFORM

MAX_TEXT_LENGTH = 4096
"""Characters of an interpolated text; expressions that would make it longer stay as they are."""

MAX_EXPRESSION_DEPTH = 32
"""Properties in a chain of references."""

_EXPRESSION = re.compile(r"\$\{([^${}]+)\}")
_PREFIXES = ("project.", "pom.")
_NOT_INHERITED = frozenset({"name", "packaging", "prerequisites.maven"})
_WHOLE = ("organization.", "issueManagement.", "ciManagement.")
"""Elements whose parts are inherited together, or not at all."""

_DEFAULTS = {
    "packaging": "jar",
    "modelVersion": "4.0.0",
    "build.finalName": "${project.artifactId}-${project.version}",
}


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
        for index, pom in enumerate(self.lineage):
            for declaration in pom.imports:
                if declaration in self._kept(index, raw_artifact(declaration)):
                    found = self._interpolated(declaration)
                    yield Coordinates(found.group, found.artifact, found.version)

    @property
    def relocation(self) -> Coordinates | None:
        """The coordinates that replace this POM's, if it was relocated; not inherited."""
        target = self.lineage[0].relocation
        if target is None:
            return None
        given = map(self.interpolate, target[:3])
        return Coordinates(*(new or old for new, old in zip(given, self.coordinates, strict=True)))

    @property
    def relocation_message(self) -> str:
        """The publisher's message about the relocation; empty without one."""
        target = self.lineage[0].relocation
        return self.interpolate(target.message) if target else ""

    @property
    def licenses(self) -> list[str]:
        """Its licences, those of the nearest POM that has any: names, or else addresses."""
        found = next((pom.licenses for pom in self.lineage if pom.licenses), ())
        return list(filter(None, map(self.interpolate, found)))

    @property
    def released_together(self) -> list[Pom]:
        """The POM and its parents, up to the first that has another version."""
        version = self.coordinates.version
        same = takewhile(lambda place: place.version == version, self.places)
        return [pom for _, pom in zip(same, self.lineage, strict=False)]

    def managed(self, key: Key) -> list[Declaration]:
        """The entries for that key of its own and inherited ``dependencyManagement``, in order.

        There are several only if Maven does not merge lists, because no parent manages anything and
        there is no import. They then complete each other.
        """
        found = []
        for index in range(len(self.lineage)):
            for artifact in (key.artifact, ""):
                declarations = map(self._interpolated, self._kept(index, artifact))
                found += [d for d in declarations if d.key == key and not is_import(d)]
        return found[-1:] if next(self.imports, None) else found

    def _kept(self, index: int, artifact: str) -> list[Declaration]:
        """The managed dependencies of one POM for an artifact, without those of its children.

        Maven merges lists from the top of the lineage. If a POM repeats a key, the last declaration
        counts if the POM inherits something; otherwise the first one counts for its children.
        """
        declarations: Iterable[Declaration] = self.lineage[index].managed.get(artifact, ())
        if not declarations:
            return []
        if any(pom.managed for pom in self.lineage[index + 1 :]):
            declarations = last_of_each(declarations)
        elif index:
            declarations = {d.key: d for d in reversed([*declarations])}.values()
        below = {d.key for pom in self.lineage[:index] for d in pom.managed.get(artifact, ())}
        return [declaration for declaration in declarations if declaration.key not in below]

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
        *texts, exclusions, managed = declaration
        if not any("${" in text for text in (*texts, *exclusions)):
            return declaration
        excluded = tuple(map(self.interpolate, exclusions))
        return Declaration._make((*map(self.interpolate, texts), excluded, managed))

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
        """Elements, properties, elements: as in Maven's AbstractStringBasedModelInterpolator.

        Only system properties that are the same everywhere have a value.
        """
        for prefix in _PREFIXES:
            if name.startswith(prefix):
                value = self._element(name.removeprefix(prefix))
                if value is not None:
                    return value
        for pom in self.lineage:
            if name in pom.properties:
                return pom.properties[name]
        return PLATFORM.get(name) or self._element(name)

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
        whole = name.partition(".")[0] + "."
        for pom in self.lineage[:1] if name in _NOT_INHERITED else self.lineage:
            if name in pom.values:
                return pom.values[name]
            if whole in _WHOLE and any(other.startswith(whole) for other in pom.values):
                return None
        return _DEFAULTS.get(name)
