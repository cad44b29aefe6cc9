"""One POM of the repository, before inheritance and interpolation.

https://maven.apache.org/ref/current/maven-model/maven.html. Active profiles (:mod:`.profiles`) are
merged in here, since they apply before inheritance.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from lxml import etree

from ssc_ingest.ecosystems.maven.pom.profiles import active_profiles
from ssc_ingest.ecosystems.maven.xml import child, children, elements, parse_xml, text
from ssc_ingest.ecosystems.xml import local_name

MAX_POM = 4 * 1024 * 1024
"""Bytes; the largest bills of materials have about 1 MB."""

MAX_DECLARATIONS = 20_000
"""Dependencies of one POM or profile, and as many managed ones; further ones are ignored."""

MAX_EXCLUSIONS = 1000
"""Of one dependency; further ones are ignored."""

MAX_LICENSES = 100
"""Of one POM; further ones are ignored."""

MAX_VALUE = 4096
"""Maximum characters of an element for expressions; a longer one has no value."""

_SIMPLE = ("modelVersion", "packaging", "name", "description", "url", "inceptionYear")
_OBJECTS = (
    "organization", "prerequisites", "scm", "issueManagement", "ciManagement",
    "distributionManagement", "build",
)  # fmt: skip


class Key(NamedTuple):
    """The key of a dependency in one POM."""

    group: str
    artifact: str
    type: str
    classifier: str


class Declaration(NamedTuple):
    """A ``dependency`` element; an absent text is empty."""

    group: str
    artifact: str
    version: str
    type: str
    classifier: str
    scope: str
    optional: str
    exclusions: tuple[str, ...] = ()
    """``group:artifact``, each of them may be ``*``."""
    managed: bool = False
    """Whether the version comes from ``dependencyManagement``."""

    @property
    def key(self) -> Key:
        """As Maven's ``Dependency.getManagementKey``."""
        return Key(self.group, self.artifact, self.type, self.classifier)


class ParentReference(NamedTuple):
    """The ``parent`` element."""

    group: str
    artifact: str
    version: str


class Relocation(NamedTuple):
    """The new coordinates of a package; an absent text is empty and means "unchanged"."""

    group: str
    artifact: str
    version: str
    message: str
    """What the publisher says about it; may be empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pom:
    """Texts of one POM, uninterpolated."""

    parent: ParentReference | None
    properties: Mapping[str, str]
    dependencies: Mapping[Key, Declaration]
    managed: Mapping[str, tuple[Declaration, ...]]
    """Managed dependencies and imports by artifact, including repeated ones, in document order;
    those whose artifact is an expression are under ""."""
    imports: tuple[Declaration, ...]
    """Those of them that are bills of materials, in document order."""
    relocation: Relocation | None
    values: Mapping[str, str]
    """Simple elements that expressions may refer to: ``scm.url``."""
    licenses: tuple[str, ...]
    """The name of each, or else its address, or else nothing."""

    @property
    def weight(self) -> int:
        """A measure of its size in memory."""
        managed = sum(1 + len(d.exclusions) // 3 for of in self.managed.values() for d in of)
        texts = (*self.properties.values(), *self.values.values())
        long = sum(map(len, texts)) // 300
        return 10 + len(self.properties) + len(self.dependencies) + managed + long


def parse_pom(body: bytes, url: str) -> Pom:
    """Read a POM.

    Raises:
        MalformedMetadata: the document is not a POM.
    """
    root = parse_xml(body, "project", url)
    properties = _properties(root)
    profiles = active_profiles(root, properties)
    for profile in profiles:
        properties |= _properties(profile)
    models = (root, *profiles)
    # A later declaration replaces an earlier one: a profile's replaces the POM's own, too.
    dependencies = {
        declaration.key: declaration
        for model in models
        for declaration in _declarations(model, "dependencies", "dependency")
    }
    managed = _declarations(root, "dependencyManagement", "dependencies", "dependency")
    for profile in profiles:
        if more := _declarations(profile, "dependencyManagement", "dependencies", "dependency"):
            managed = last_of_each([*managed, *more])
    by_artifact: defaultdict[str, list[Declaration]] = defaultdict(list)
    for declaration in managed:
        by_artifact[raw_artifact(declaration)].append(declaration)
    relocation = child(root, "distributionManagement", "relocation")
    parent = child(root, "parent")
    return Pom(
        parent=None if parent is None else ParentReference(*_coordinates(parent)),
        properties=properties,
        dependencies=dependencies,
        managed={artifact: tuple(group) for artifact, group in by_artifact.items()},
        imports=tuple(filter(is_import, managed)),
        relocation=None
        if relocation is None
        else Relocation(*_coordinates(relocation), text(relocation, "message")),
        values={name: value for model in models for name, value in _values(model)},
        licenses=tuple(
            text(each, "name") or text(each, "url")
            for each in children(root, "licenses", "license")[:MAX_LICENSES]
        ),
    )


def raw_artifact(declaration: Declaration) -> str:
    """The artifact under which a managed dependency is stored."""
    return "" if "${" in declaration.artifact else declaration.artifact


def last_of_each(declarations: Iterable[Declaration]) -> list[Declaration]:
    """The last declaration of each key, at the position of the first, as in Maven's merge."""
    return list({declaration.key: declaration for declaration in declarations}.values())


def _properties(model: etree._Element) -> dict[str, str]:
    return {
        local_name(element): (element.text or "").strip()
        for element in elements(model, "properties")
    }


def _values(model: etree._Element) -> Iterator[tuple[str, str]]:
    simple = [(name, found) for name in _SIMPLE if (found := child(model, name)) is not None]
    parts = [
        (f"{name}.{local_name(element)}", element)
        for name in _OBJECTS
        for element in elements(model, name)
        if not len(element)
    ]
    for name, element in (*simple, *parts):
        if 0 < len(value := (element.text or "").strip()) <= MAX_VALUE:
            yield name, value


def _coordinates(element: etree._Element) -> tuple[str, str, str]:
    return text(element, "groupId"), text(element, "artifactId"), text(element, "version")


def _declarations(model: etree._Element, *path: str) -> list[Declaration]:
    found = []
    for element in children(model, *path)[:MAX_DECLARATIONS]:
        values = {local_name(e): (e.text or "").strip() for e in element}
        found.append(
            Declaration(
                values.get("groupId", ""),
                values.get("artifactId", ""),
                values.get("version", ""),
                values.get("type") or "jar",
                values.get("classifier", ""),
                values.get("scope", ""),
                values.get("optional", ""),
                _exclusions(element),
            )
        )
    return found


def _exclusions(dependency: etree._Element) -> tuple[str, ...]:
    """The exclusions of a dependency that name a group and an artifact; others have no effect."""
    found = children(dependency, "exclusions", "exclusion")[:MAX_EXCLUSIONS]
    names = ((text(each, "groupId"), text(each, "artifactId")) for each in found)
    return tuple(f"{group}:{artifact}" for group, artifact in names if group and artifact)


def is_import(declaration: Declaration) -> bool:
    """Whether a managed dependency is a bill of materials."""
    return declaration.scope == "import" and declaration.type == "pom"
