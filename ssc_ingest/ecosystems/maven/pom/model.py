"""One POM as the repository has it, before inheritance and interpolation.

https://maven.apache.org/ref/current/maven-model/maven.html. Profiles are merged in here, since
they apply before inheritance. Without a particular machine, two kinds of profiles are active:
those that the absence of a property activates, and, without any of these, those that are active
by default (https://maven.apache.org/guides/introduction/introduction-to-profiles.html).
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from lxml import etree

from ssc_ingest.ecosystems.maven.xml import child, children, elements, parse_xml, text
from ssc_ingest.ecosystems.wire import local_name

MAX_POM = 4 * 1024 * 1024
"""Bytes; the largest bills of materials have about 1 MB."""

MAX_DECLARATIONS = 20_000
"""Dependencies of one POM, and as many managed ones; further ones are ignored."""

_VALUES = {
    "packaging": ("packaging",),
    "name": ("name",),
    "url": ("url",),
    "scm.url": ("scm", "url"),
    "scm.connection": ("scm", "connection"),
    "scm.developerConnection": ("scm", "developerConnection"),
    "scm.tag": ("scm", "tag"),
}


class Key(NamedTuple):
    """What distinguishes the dependencies of one POM."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Pom:
    """Texts of one POM, uninterpolated."""

    parent: ParentReference | None
    properties: Mapping[str, str]
    dependencies: Mapping[Key, Declaration]
    managed: Mapping[str, tuple[Declaration, ...]]
    """Managed dependencies by artifact; under "" those whose artifact is an expression."""
    imports: Mapping[Key, Declaration]
    """Bills of materials, in document order."""
    relocation: Relocation | None
    values: Mapping[str, str]
    """Simple elements that expressions may refer to: ``scm.url``."""

    @property
    def weight(self) -> int:
        """A measure of its size in memory."""
        managed = sum(map(len, self.managed.values()))
        return 10 + len(self.properties) + len(self.dependencies) + managed


def parse_pom(body: bytes, url: str) -> Pom:
    """Read a POM.

    Raises:
        MalformedMetadata: the document is not a POM.
    """
    root = parse_xml(body, "project", url)
    # A later declaration replaces an earlier one: a profile's replaces the POM's own, too.
    models = (root, *_active_profiles(root))
    properties = {
        local_name(element): (element.text or "").strip()
        for model in models
        for element in elements(model, "properties")
    }
    dependencies = _declarations(models, "dependencies", "dependency")
    managed = _declarations(models, "dependencyManagement", "dependencies", "dependency")
    imports = {key: d for key, d in managed.items() if _is_import(d)}
    by_artifact: defaultdict[str, list[Declaration]] = defaultdict(list)
    for key, declaration in managed.items():
        if key not in imports:
            literal = "${" not in declaration.artifact
            by_artifact[declaration.artifact if literal else ""].append(declaration)
    relocation = child(root, "distributionManagement", "relocation")
    parent = child(root, "parent")
    return Pom(
        parent=None if parent is None else ParentReference(*_coordinates(parent)),
        properties=properties,
        dependencies=dependencies,
        managed={artifact: tuple(group) for artifact, group in by_artifact.items()},
        imports=imports,
        relocation=None if relocation is None else Relocation(*_coordinates(relocation)),
        values={name: value for name, path in _VALUES.items() if (value := text(root, *path))},
    )


def _coordinates(element: etree._Element) -> tuple[str, str, str]:
    return text(element, "groupId"), text(element, "artifactId"), text(element, "version")


def _declarations(models: Iterable[etree._Element], *path: str) -> dict[Key, Declaration]:
    found: dict[Key, Declaration] = {}
    for model in models:
        for element in children(model, *path):
            if len(found) >= MAX_DECLARATIONS:
                return found
            values = {local_name(e): (e.text or "").strip() for e in element}
            declaration = Declaration(
                values.get("groupId", ""),
                values.get("artifactId", ""),
                values.get("version", ""),
                values.get("type") or "jar",
                values.get("classifier", ""),
                values.get("scope", ""),
                values.get("optional", ""),
            )
            found[declaration.key] = declaration
    return found


def _is_import(declaration: Declaration) -> bool:
    return declaration.scope == "import" and declaration.type == "pom"


def _active_profiles(root: etree._Element) -> list[etree._Element]:
    profiles = children(root, "profiles", "profile")
    present = [p for p in profiles if _is_active_without_property(p)]
    return present or [
        p for p in profiles if text(p, "activation", "activeByDefault").lower() == "true"
    ]


def _is_active_without_property(profile: etree._Element) -> bool:
    activation = child(profile, "activation")
    depends = any(child(activation, kind) is not None for kind in ("jdk", "os", "file"))
    return text(activation, "property", "name").startswith("!") and not depends
