"""Effective POMs compared with Maven's own models."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssc_ingest.ecosystems.maven.identity import Coordinates
from ssc_ingest.ecosystems.maven.pom.model import Declaration
from ssc_ingest.ecosystems.maven.xml import parse_xml, text
from tests.unit.maven_folder import (
    Folder,
    bill,
    dependencies,
    dependency,
    excluding,
    licenses,
    managed,
    parent,
    properties,
)
from tests.unit.maven_judge import Dependency, MavenJudge, Refused

names = st.sampled_from(["x:a", "x:b", "x:c", "${project.groupId}:d", "${group}:e"])
texts = st.sampled_from(
    ["", "", "1", "2", "${v}", "${w}", "${project.version}", "${project.parent.version}", "3-${v}"]
)
# Maven passes over a bill of materials as a whole if it cannot resolve one version in it.
resolvable = st.sampled_from(["1", "2", "${w}", "${project.version}", "3-${w}"])
kinds = st.sampled_from(["", "", "", "test-jar"])
scopes = st.sampled_from(["", "", "test", "runtime", "provided", "compile"])
excluded = st.lists(st.sampled_from(["y:a", "*:*", "${group}:b", "y:*"]), max_size=2)
declared = st.tuples(names, texts, kinds, scopes, excluded).map(
    lambda d: excluding(dependency(d[0], d[1], type=d[2], scope=d[3]), *d[4])
)
licensed = st.lists(
    st.sampled_from(["MIT", "The  ${w}\nLicence", "https://x.example/${v}"]), max_size=2
).map(lambda found: licenses(*found))


def managing(
    versions: st.SearchStrategy[str],
    scopes: st.SearchStrategy[str],
    excluded: st.SearchStrategy[list[str]],
) -> st.SearchStrategy[list[str]]:
    """Managed dependencies without duplicates, as Maven requires."""
    literal = st.sampled_from(["x:a", "x:b", "x:c", "${project.groupId}:d", "${group}:e"])
    one = st.tuples(literal, versions, kinds, scopes, excluded)
    return st.lists(one, max_size=4, unique_by=lambda d: (d[0], d[2])).map(
        lambda found: [
            excluding(dependency(d[0], d[1], type=d[2], scope=d[3]), *d[4]) for d in found
        ]
    )


# None of them leads back to itself, where Maven gives up.
some_properties = st.fixed_dictionaries(
    {},
    optional={
        "v": st.sampled_from(["1", "${w}", "${x.y}", "${gone}"]),
        "w": st.sampled_from(["2", "${project.artifactId}", "${x.y}-1"]),
        "x_y": st.sampled_from(["3", "${project.version}"]),
        "group": st.sampled_from(["x", "${project.groupId}"]),
    },
).map(lambda found: properties(**found))


@st.composite
def repositories(draw: st.DrawFn) -> tuple[Folder, list[Coordinates]]:
    """Lineages of POMs that also import bills of materials with parents."""
    folder, leaves = Folder(), []
    bills: list[str] = []
    for number in range(draw(st.sampled_from(range(4)))):
        name = f"b:bill{number}"
        above = draw(st.sampled_from(["", *bills]))
        up = parent(f"{above}:1") if above else ""
        imports = [bill(name, "1") for name in bills[:1]]
        # What is read only for the sake of a version is not held to say everything.
        managed_here = managing(resolvable, st.just(""), st.just([]))
        body = managed(*draw(managed_here), *imports)
        group = draw(st.sampled_from(["x", "y"]))
        folder.add(f"{name}:1", up + properties(w=f"7-{number}", group=group) + body)
        bills.append(name)
    previous = ""
    for number in range(draw(st.integers(1, 4))):
        imports = [
            bill(b, draw(st.sampled_from(["1", "1", "${v}"])))
            for b in draw(st.permutations(bills))[:2]
        ]
        body = managed(*draw(managing(texts, scopes, excluded)), *imports) + dependencies(
            *draw(st.lists(declared, max_size=4))
        )
        body += draw(licensed)
        up = parent(previous) if previous else ""
        previous = f"g{number}:p{number}:{number + 1}"
        leaves.append(folder.add(previous, up + draw(some_properties) + body))
    return folder, leaves


def as_maven_says(found: Declaration) -> Dependency:
    """A dependency as the judge gives it."""
    return Dependency(
        *found.key[:2],
        found.version,
        *found.key[2:],
        found.scope or "compile",
        found.optional or "false",
        found.exclusions,
    )


@given(drawn=repositories())
async def test_effective_models_are_maven_s(
    drawn: tuple[Folder, list[Coordinates]], maven: MavenJudge
) -> None:
    """Dependencies and licences of any lineage are those that Maven finds."""
    folder, leaves = drawn
    with tempfile.TemporaryDirectory() as path:
        folder.write(Path(path))
        for leaf in leaves:
            model = maven.model(Path(path), leaf)
            found = await folder.dependencies(leaf)
            assert list(map(as_maven_says, found)) == model.dependencies
            found_licenses = (await folder.effective(leaf)).licenses
            assert [" ".join(text.split()) for text in found_licenses] == model.licenses


@pytest.mark.recordings
async def test_recorded_poms_are_read_as_maven_reads_them(
    recordings: Path, maven: MavenJudge, tmp_path: Path
) -> None:
    """Every recorded POM that Maven accepts has the same dependencies here."""
    folder = Folder()
    files = [
        *(recordings / "dependabot__dependabot-core/maven/spec/fixtures/poms").iterdir(),
        *(recordings / "aboutcode-org__purldb/minecode/tests/testfiles/maven").rglob("*.pom"),
    ]
    for file in sorted(files):
        root = parse_xml(file.read_bytes(), "project", file.name)
        place = (
            text(root, "groupId") or text(root, "parent", "groupId"),
            text(root, "artifactId"),
            text(root, "version") or text(root, "parent", "version"),
        )
        if Coordinates(*place).are_usable:
            folder.poms.setdefault(Coordinates(*place), file.read_bytes())
    folder.write(tmp_path)
    compared = 0
    for place in folder.poms:
        try:
            expected = maven.dependencies(tmp_path, place)
        except Refused:
            continue
        compared += 1
        found = await folder.dependencies(place)
        assert list(map(as_maven_says, found)) == expected, place
    assert compared >= 30
