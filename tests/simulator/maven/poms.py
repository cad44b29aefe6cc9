"""The documents of Maven Central: ``maven-metadata.xml``, and POMs that inherit from each other.

https://maven.apache.org/repositories/metadata.html and https://maven.apache.org/pom.html
"""

import io
import zipfile
from collections.abc import Sequence
from functools import cached_property
from xml.sax.saxutils import escape
from zlib import crc32

from tests.simulator.ecosystem import Document
from tests.simulator.maven import facts
from tests.simulator.maven.forms import BOM, IN_PARENT, ORPHAN, RELOCATED
from tests.simulator.maven.model import (
    POM_TYPE,
    Coordinates,
    Model,
    block,
    dependency,
    document,
    element,
    http_date,
    import_of,
)
from tests.simulator.universe import Package, Release, Requirement
from tests.simulator.versions import FIRST_RELEASES

SHARED_GROUP = "org.simulated.shared"
CORPORATE, TEAM, CORPORATE_BOM = "corporate-parent", "team-parent", "corporate-bom"
TEAMS = 5
TEAM_VERSIONS = 3

JAR_TYPE = "application/java-archive"

PHANTOM = "phantom"
"""A version that the list names as the latest and that is nowhere."""


TEAM_PARENTS = frozenset(
    Coordinates(f"{SHARED_GROUP}.team{team}", TEAM, str(version + 1))
    for team in range(TEAMS)
    for version in range(TEAM_VERSIONS)
)


class Page:
    """The documents of one package, its project's parents and its bills of materials."""

    def __init__(self, package: Package) -> None:
        self.package = package
        self.group, _, self.artifact = package.name.partition(":")
        self._releases = {release.version: release for release in package.releases}

    @cached_property
    def hidden(self) -> str | None:
        """The version that the list lacks, although it names it as the newest release."""
        if crc32(self.package.name.encode()) % 8 or len(self.package.releases) < 2:
            return None
        return self._published[-1].version

    @cached_property
    def metadata(self) -> Document:
        """``maven-metadata.xml``; versions are in the order of publication."""
        names = [release.version for release in self._published]
        latest = [decoy.version for decoy in self.package.decoys] or names
        listed = "".join(
            f"      <version>{escape(name)}</version>\n" for name in names if name != self.hidden
        )
        # Without a release there would be neither element.
        newest = f"""
    <latest>{latest[-1]}</latest>
    <release>{names[-1]}</release>""" if names else ""  # fmt: skip
        last = max((r.released for r in self._published), default=FIRST_RELEASES)
        body = f"""<?xml version="1.0" encoding="UTF-8"?>
<metadata>
  <groupId>{self.group}</groupId>
  <artifactId>{self.artifact}</artifactId>
  <versioning>{newest}
    <versions>
{listed}    </versions>
    <lastUpdated>{last:%Y%m%d%H%M%S}</lastUpdated>
  </versioning>
</metadata>
""".encode()
        return Document.tagged(body, POM_TYPE, Last_Modified=http_date(last))

    def pom(self, artifact: str, version: str) -> Document | None:
        """A POM of the package's group, if there is one."""
        if artifact == self.artifact:
            release = self._releases.get(version)
            return document(self._release(release), release.released) if release else None
        for suffix, make in (("-parent", self._module_parent), ("-bom", self._bom)):
            if artifact == self.artifact + suffix and version in self._demands:
                return document(make(version), FIRST_RELEASES)
        return None

    def jar(self, version: str) -> Document | None:
        """The jar of a release, if it has one."""
        release = self._releases.get(version)
        if release is None or not has_jar(release):
            return None
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            folder = java_package(self.package).replace(".", "/")
            archive.writestr(zipfile.ZipInfo("META-INF/MANIFEST.MF"), b"Manifest-Version: 1.0\n")
            archive.writestr(zipfile.ZipInfo(f"{folder}/Simulated.class"), b"\xca\xfe\xba\xbe")
        return Document.tagged(buffer.getvalue(), JAR_TYPE)

    @property
    def _published(self) -> Sequence[Release]:
        return sorted(self.package.releases, key=lambda release: release.released)

    @cached_property
    def _demands(self) -> dict[str, Release]:
        """A release for each set of requirements, by the version of the parent that knows it.

        That version is made of what it stands for: a document of the repository never changes.
        """
        return {_demand(release): release for release in self.package.releases}

    def _release(self, release: Release) -> Model:
        model = Model(Coordinates(self.group, self.artifact, release.version))
        model.about = self._about(release)
        model.licenses = facts.own_licenses(release)
        if release.form == RELOCATED and release.requirements:
            group, _, artifact = release.requirements[0].name.partition(":")
            model.relocation = group, artifact, facts.relocation_message(release)
            return model
        model.parent = self._parent_of(release)
        model.properties["circle.one"] = "${circle.two}"
        model.properties["circle.two"] = "${circle.one}"
        if any("${revision}" in r.wire for r in release.requirements):
            model.properties["revision"] = release.version
        model.properties["changelist"] = ""
        for position, requirement in enumerate(release.requirements):
            _require(model, requirement, f"dependency.{position}")
        for requirement in release.noise:
            _mention(model, requirement)
        if any(r.form == BOM for r in release.requirements):
            bom = Coordinates(self.group, f"{self.artifact}-bom", _demand(release))
            model.managed.append(import_of(bom))
        return model

    def _parent_of(self, release: Release) -> Coordinates | None:
        if release.form == ORPHAN:
            return Coordinates(self.group, f"{self.artifact}-lost", "1")
        if any(r.form in IN_PARENT for r in release.requirements):
            return Coordinates(self.group, f"{self.artifact}-parent", _demand(release))
        return self._team(release.version) if self.package.index % 2 else None

    def _team(self, child: str) -> Coordinates:
        """The parent of all projects of a team, for a child with this version."""
        team = self.package.index % TEAMS
        version = crc32(child.encode()) % TEAM_VERSIONS + 1
        return Coordinates(f"{SHARED_GROUP}.team{team}", TEAM, str(version))

    def _module_parent(self, version: str) -> Model:
        model = Model(Coordinates(self.group, f"{self.artifact}-parent", version), "pom")
        model.parent = self._team(version)
        for position, requirement in enumerate(self._demands[version].requirements):
            key = f"dependency.{position}.version"
            match requirement.form:
                case "parent-property":
                    model.properties[key] = requirement.wire
                case "parent-managed":
                    model.properties[key] = requirement.wire
                    model.managed.append(dependency(requirement.name, f"${{{key}}}"))
                case "inherited":
                    model.dependencies.append(dependency(requirement.name, requirement.wire))
        return model

    def _bom(self, version: str) -> Model:
        model = Model(Coordinates(self.group, f"{self.artifact}-bom", version), "pom")
        for requirement in self._demands[version].requirements:
            if requirement.form == BOM:
                model.managed.append(dependency(requirement.name, requirement.wire))
        return model

    def _about(self, release: Release) -> list[str]:
        link = self.package.link
        # A project may move house: only what the latest version says is true.
        here = release is self.package.latest
        wire = link.wire if here else "https://github.com/before/it-moved"
        match link.field:
            case "url":
                return [element("url", wire)]
            case "":
                return []
        return list(block("scm", (element(link.field, wire),)))


def has_jar(release: Release) -> bool:
    """Whether a release has code: a relocation only names another project."""
    return not (release.form == RELOCATED and release.requirements)


def java_package(package: Package) -> str:
    """The package of the classes of all releases: ``org.amber.simulated``."""
    group = package.name.partition(":")[0]
    return f"{group.replace('-', '_')}.simulated"


def shared(place: Coordinates) -> Document | None:
    """A POM that many projects share, if there is one at this path."""
    model = Model(place, "pom")
    top = Coordinates(SHARED_GROUP, CORPORATE, "1")
    if place in TEAM_PARENTS:
        model.parent = top
        model.managed.append(import_of(Coordinates(SHARED_GROUP, CORPORATE_BOM, "1")))
        model.about.append(element("url", "https://github.com/simulated/team"))
    elif place == top:
        model.about += block("scm", (element("url", "https://github.com/simulated/corporate"),))
        model.licenses = (facts.CORPORATE_LICENSE,)
        model.properties["test.kit"] = "4.13.2"
        # Every project inherits it, and nobody who installs one needs it.
        model.dependencies.append(
            dependency(f"{SHARED_GROUP}:test-kit", "${test.kit}", "<scope>test</scope>")
        )
    elif place == Coordinates(SHARED_GROUP, CORPORATE_BOM, "1"):
        model.managed.append(dependency(f"{SHARED_GROUP}:logging", "1.0"))
    else:
        return None
    return document(model, FIRST_RELEASES)


def _require(model: Model, requirement: Requirement, key: str) -> None:
    """Declare a dependency, with its version at the position of the requirement's form."""
    name, wire = requirement.name, requirement.wire
    own = f"${{{key}.version}}"
    match requirement.form:
        case "property":
            model.properties[f"{key}.version"] = wire
            model.dependencies.append(dependency(name, own, "<scope>runtime</scope>"))
        case "nested":
            model.properties |= {f"{key}.version": f"${{{key}.${{kind}}}}", "kind": "text"}
            model.properties[f"{key}.text"] = wire
            model.dependencies.append(dependency(name, own, "<scope>compile</scope>"))
        case "managed":
            model.managed.append(dependency(name, wire, "<scope>runtime</scope>"))
            model.dependencies.append(dependency(name))
        case "parent-property":
            model.dependencies.append(dependency(name, own, "<optional>false</optional>"))
        case "parent-managed" | "bom":
            model.dependencies.append(dependency(name))
        case "profile":
            model.active.append(dependency(name, wire))
        case "inherited":
            pass
        case "excluding":
            model.dependencies.append(dependency(name, wire, _EXCLUSIONS))
        case _:
            for number, line in enumerate(wire.split("\n")):
                classifier = f"<classifier>jdk{number}</classifier>" if number else ""
                model.dependencies.append(dependency(name, line, classifier))


def _mention(model: Model, requirement: Requirement) -> None:
    """Write an element that looks like a dependency, but is ignored by installs."""
    name, wire, form = requirement.name, requirement.wire, requirement.form
    # The same package may be required for real besides.
    tests = "<type>test-jar</type>"
    match form:
        case "optional":
            model.dependencies.append(dependency(name, wire, tests, "<optional>true</optional>"))
        case "inactive-profile":
            model.inactive.append(dependency(name, wire))
        case "plugin":
            model.plugin.append(dependency(name, wire))
        case "managed-only":
            model.managed.append(dependency(name, wire, tests))
        case "managed-test":
            model.managed.append(dependency(name, wire, tests, "<scope>test</scope>"))
            model.dependencies.append(dependency(name, "", tests))
        case "system":
            path = "<systemPath>${java.home}/lib/tools.jar</systemPath>"
            model.dependencies.append(dependency(name, wire, tests, "<scope>system</scope>", path))
        case _:
            model.dependencies.append(dependency(name, wire, tests, element("scope", form)))


_EXCLUSIONS = (
    "<exclusions><exclusion><groupId>org.excluded</groupId><artifactId>*</artifactId>"
    "</exclusion></exclusions>"
)


def _demand(release: Release) -> str:
    """What a release requires, as the version of a parent or a bill of materials."""
    written = "\n".join(f"{r.name} {r.form} {r.wire}" for r in release.requirements)
    return f"1.{crc32(written.encode())}"
