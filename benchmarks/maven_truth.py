"""Whether the requirements of Maven's artifacts are those that Maven itself finds in their POMs.

``python -m benchmarks.maven_truth [GROUP:ARTIFACT:VERSION ...]``: by default the list
``benchmarks/maven_artifacts.txt``. The artifacts' POMs, their parents and their bills of materials
are requested by name, at the program's default rate, and kept in a folder. Maven's own model
builder reads the folder, on each JDK in support, and so does the program. Compared are packages,
constraints, scopes, classifiers, types and exclusions of the requirements, and licences.

Maven and Java must be installed. ``docs/maven-truth.md`` has what was found.
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from ssc_ingest.ecosystems.maven.identity import IDENTITY, Coordinates, metadata_path, reference
from ssc_ingest.ecosystems.maven.metadata import parse_metadata
from ssc_ingest.ecosystems.maven.pom.model import Declaration, Pom, parse_pom
from ssc_ingest.ecosystems.maven.pom.parents import Inheritance, ParsedPoms
from ssc_ingest.ecosystems.maven.pom.profiles import JDKS
from ssc_ingest.ecosystems.maven.pom.requirements import RequirementReader
from ssc_ingest.errors import MalformedMetadata
from ssc_ingest.http.client import user_agent
from ssc_ingest.models import Requirement
from tests.unit.maven_judge import Dependency, MavenJudge, Refused, maven_judge

REPOSITORY = IDENTITY.endpoints[0]
ARTIFACTS = Path(__file__).with_name("maven_artifacts.txt")

Facts = dict[str, Any]
"""By package: constraint, kind, and declarations."""


@dataclass
class Mirror:
    """The part of the repository that was asked for, in a folder with the repository's layout."""

    folder: Path
    client: httpx.Client
    requests: int = 0
    last: float = field(default_factory=time.monotonic)

    def get(self, path: Sequence[str]) -> bytes | None:
        """The document at that path; ``None`` if the repository does not have it."""
        file = self.folder.joinpath(*path)
        if file.exists():
            return file.read_bytes() or None
        time.sleep(max(0.0, self.last + 1 / REPOSITORY.rate - time.monotonic()))
        self.last = time.monotonic()
        self.requests += 1
        response = self.client.get("/".join((REPOSITORY.url, *path)))
        body = b"" if response.status_code == httpx.codes.NOT_FOUND else response.content
        if body:
            response.raise_for_status()
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(body)
        return body or None

    async def pom(self, coordinates: Coordinates) -> Pom | None:
        """A POM, if there is one."""
        body = self.get(coordinates.pom_path)
        try:
            return parse_pom(body, str(coordinates)) if body else None
        except MalformedMetadata:
            return None

    async def versions(self, name: str) -> Sequence[str]:
        """The listed versions of a package that others name by a range.

        The judge sees a version in that there is a folder for it.
        """
        *folder, document = metadata_path(name)
        body = self.get((*folder, document))
        listed = parse_metadata(body, name, name).listed if body else ()
        for version in listed:
            self.folder.joinpath(*folder, version).mkdir(exist_ok=True)
        return listed


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One artifact: what the program finds, and what Maven finds on each JDK."""

    coordinates: Coordinates
    ours: Facts
    theirs: dict[str, Facts | str]
    """By JDK; the reason where Maven refuses the POM."""
    licenses: tuple[Sequence[str], Sequence[str]]
    missing: Sequence[str]
    poms: int

    @property
    def is_equal(self) -> bool:
        """Whether Maven finds the same on each JDK, licences included."""
        return self.licenses[0] == self.licenses[1] and all(
            theirs == self.ours for theirs in self.theirs.values()
        )

    @property
    def differences(self) -> list[str]:
        """What differs, in words."""
        found = []
        for jdk, theirs in self.theirs.items():
            if isinstance(theirs, str):
                found.append(f"JDK {jdk}: {theirs}")
                continue
            pairs = {n: (self.ours.get(n), theirs.get(n)) for n in {*self.ours, *theirs}}
            found += [f"JDK {jdk}: {n}: {a}, {b}" for n, (a, b) in sorted(pairs.items()) if a != b]
        if self.licenses[0] != self.licenses[1]:
            found.append(f"licences: {self.licenses[0]}, {self.licenses[1]}")
        return found


async def compare(coordinates: Coordinates, mirror: Mirror, judge: MavenJudge) -> Comparison | str:
    """Read an artifact in both ways; a text says why it cannot be read."""
    own = await mirror.pom(coordinates)
    if own is None:
        return "the repository has no readable POM of it"
    read: set[Coordinates] = {coordinates}

    async def shared(place: Coordinates) -> Pom | None:
        read.add(place)
        return await mirror.pom(place)

    inheritance = Inheritance(shared, mirror.versions, ParsedPoms())
    pom = await inheritance.of(coordinates, own)
    ours = _facts(coordinates, await inheritance.complete(pom))
    # Maven reads all bills of materials, whether it needs them or not.
    async for _ in inheritance.bills(pom):
        pass
    theirs: dict[str, Facts | str] = {}
    licenses: list[str] = []
    for jdk in JDKS:
        try:
            model = judge.model(mirror.folder, coordinates, jdk)
        except Refused as refused:
            theirs[jdk] = str(refused)
        else:
            theirs[jdk] = _facts(coordinates, map(_declaration, model.dependencies))
            licenses = model.licenses
    return Comparison(
        coordinates=coordinates,
        ours=ours,
        theirs=theirs,
        licenses=([" ".join(text.split()) for text in pom.licenses], licenses),
        missing=sorted(map(str, inheritance.missing)),
        poms=len(read),
    )


def _declaration(found: Dependency) -> Declaration:
    return Declaration(
        found.group,
        found.artifact,
        found.version,
        found.type,
        found.classifier,
        found.scope,
        found.optional,
        found.exclusions,
    )


def _facts(coordinates: Coordinates, declarations: Iterable[Declaration]) -> Facts:
    """The requirements that declarations make. A model does not say which versions are managed."""
    reader = RequirementReader(reference(f"{coordinates.group}:{coordinates.artifact}"))
    requirements = reader.read(each._replace(managed=False) for each in declarations)
    return {requirement.package.registry_name: _fact(requirement) for requirement in requirements}


def _fact(requirement: Requirement) -> tuple[str, str | None, Any]:
    return requirement.constraints, requirement.kind, json.loads(requirement.declared or "null")


def table(found: Iterable[tuple[Coordinates, Comparison | str]]) -> str:
    """One row per artifact, as Markdown."""
    lines = ["| artifact | POMs | requirements | equal |", "|---|---:|---:|---|"]
    for coordinates, comparison in found:
        if isinstance(comparison, str):
            lines.append(f"| `{coordinates}` | | | {comparison} |")
            continue
        equal = "yes" if comparison.is_equal else "; ".join(comparison.differences)
        lines.append(f"| `{coordinates}` | {comparison.poms} | {len(comparison.ours)} | {equal} |")
    return "\n".join(lines)


async def _compare_all(places: Sequence[Coordinates], mirror: Mirror, judge: MavenJudge) -> str:
    found: list[tuple[Coordinates, Comparison | str]] = []
    for place in places:
        found.append((place, await compare(place, mirror, judge)))
        sys.stderr.write(f"{len(found)}/{len(places)} {place}: {mirror.requests} requests\n")
    equal = sum(isinstance(each, Comparison) and each.is_equal for _, each in found)
    return f"{table(found)}\n\n{equal} of {len(found)} equal; {mirror.requests} requests"


def main() -> None:
    """Compare and print a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.maven_truth", description=__doc__)
    parser.add_argument("artifacts", nargs="*", metavar="GROUP:ARTIFACT:VERSION")
    parser.add_argument("--folder", type=Path, help="keep the documents here")
    parser.add_argument("--contact", default="", help="web or mail address for the User-Agent")
    arguments = parser.parse_args()
    lines = arguments.artifacts or ARTIFACTS.read_text().splitlines()
    places = [Coordinates(*line.split(":")) for line in lines if line and not line.startswith("#")]
    headers = {"User-Agent": user_agent(arguments.contact)}
    with (
        tempfile.TemporaryDirectory() as temporary,
        httpx.Client(headers=headers, follow_redirects=True, timeout=60) as client,
        maven_judge(Path(temporary)) as judge,
    ):
        mirror = Mirror(arguments.folder or Path(temporary) / "repository", client)
        print(asyncio.run(_compare_all(places, mirror, judge)))


if __name__ == "__main__":
    main()
