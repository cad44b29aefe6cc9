"""Effective POMs: inheritance, interpolation, management; compared with Maven's own models."""

from pathlib import Path

import pytest

from ssc_ingest.ecosystems.maven.identity import Coordinates
from ssc_ingest.ecosystems.maven.pom.links import repository_candidates
from ssc_ingest.ecosystems.maven.pom.model import parse_pom
from ssc_ingest.ecosystems.maven.pom.parents import MAX_IMPORTS, MAX_LINEAGE, ParsedPoms
from tests.unit.maven_folder import (
    Folder,
    bill,
    dependencies,
    dependency,
    excluding,
    managed,
    parent,
    properties,
)
from tests.unit.maven_judge import MavenJudge


async def versions(folder: Folder, coordinates: Coordinates) -> dict[str, str]:
    """Version by ``group:artifact`` of an effective POM's dependencies."""
    return {f"{d.group}:{d.artifact}": d.version for d in await folder.dependencies(coordinates)}


# Inheritance -----------------------------------------------------------------------------------


async def test_parents_give_dependencies_properties_and_versions() -> None:
    """A missing value comes from the nearest parent that has it."""
    folder = Folder()
    folder.add("g:top:1", properties(a="top", b="top") + managed(dependency("x:m", "${a}-${b}")))
    folder.add(
        "g:middle:1",
        parent("g:top:1") + properties(b="middle") + dependencies(dependency("x:inherited", "7")),
    )
    leaf = folder.add(
        "g:leaf:2",
        parent("g:middle:1")
        + dependencies(dependency("x:m"), dependency("x:own", "${b}"), dependency("x:unknown")),
    )
    assert await versions(folder, leaf) == {
        "x:m": "top-middle",
        "x:own": "middle",
        "x:unknown": "",
        "x:inherited": "7",
    }
    assert folder.asked == [Coordinates("g", "middle", "1"), Coordinates("g", "top", "1")]


async def test_a_child_overrides_its_parents() -> None:
    """Type and classifier distinguish dependencies; managed scopes are inherited."""
    folder = Folder()
    folder.add(
        "g:p:1",
        dependencies(dependency("x:a", "1"), dependency("x:a", "1", type="test-jar"))
        + managed(dependency("x:b", "1", scope="test"), dependency("x:c", "1")),
    )
    leaf = folder.add(
        "g:leaf:1",
        parent("g:p:1")
        + managed(dependency("x:c", "2"))
        + dependencies(
            dependency("x:a", "2"),
            dependency("x:b"),
            dependency("x:c"),
            dependency("x:c", classifier="other"),
        ),
    )
    found = [(d.artifact, d.type, d.version, d.scope) for d in await folder.dependencies(leaf)]
    assert found == [
        ("a", "jar", "2", ""),
        ("b", "jar", "1", "test"),
        ("c", "jar", "2", ""),
        ("c", "jar", "", ""),
        ("a", "test-jar", "1", ""),
    ]


async def test_a_missing_parent_costs_what_it_would_have_given() -> None:
    """The POM's own dependencies stay; the parent is requested once and reported."""
    folder = Folder()
    leaf = folder.add(
        "g:leaf:1",
        parent("g:gone:1")
        + properties(own="2")
        + dependencies(
            dependency("x:a", "${own}"), dependency("x:b"), dependency("x:c", "${theirs}")
        ),
    )
    for _ in range(2):
        assert await versions(folder, leaf) == {"x:a": "2", "x:b": "", "x:c": "${theirs}"}
    assert folder.asked == [Coordinates("g", "gone", "1")]
    assert folder.inheritance.missing == {Coordinates("g", "gone", "1")}


async def test_circles_end() -> None:
    """POMs may be their own grandparents, and bills of materials may import each other."""
    folder = Folder()
    folder.add("g:a:1", parent("g:b:1") + properties(x="a"))
    folder.add("g:b:1", parent("g:a:1") + properties(x="b", y="b"))
    folder.add("g:c:1", managed(bill("g:d", "1")))
    folder.add("g:d:1", managed(bill("g:c", "1"), bill("g:d", "1")))
    leaf = folder.add(
        "g:leaf:1",
        parent("g:a:1")
        + managed(bill("g:c", "1"), bill("g:leaf", "1"))
        + dependencies(dependency("q:q", "${x}${y}"), dependency("q:r")),
    )
    assert await versions(folder, leaf) == {"q:q": "ab", "q:r": ""}
    itself = folder.add("g:itself:1", parent("g:itself:1"))
    assert await versions(folder, itself) == {}
    assert len(folder.asked) == len(set(folder.asked))


async def test_endless_lineages_are_cut() -> None:
    """Parents beyond the limit are ignored."""
    folder = Folder()
    for number in range(100):
        folder.add(f"g:p:{number}", parent(f"g:p:{number + 1}"))
    effective = await folder.effective(Coordinates("g", "p", "0"))
    assert len(effective.lineage) == MAX_LINEAGE + 1


async def test_endless_imports_are_cut() -> None:
    """A POM that imports thousands of bills of materials is limited."""
    folder = Folder()
    bills = [bill("g:bill", str(number)) for number in range(5000)]
    leaf = folder.add(
        "g:leaf:1",
        managed(*(b.replace("bill", f"b{i}", 1) for i, b in enumerate(bills)))
        + dependencies(dependency("x:a")),
    )
    assert await versions(folder, leaf) == {"x:a": ""}
    assert len(folder.asked) == MAX_IMPORTS


@pytest.mark.parametrize("version", ["${project.version}", "[2,3)", "../../x", "${x}", ""])
async def test_parents_with_unusable_coordinates_are_missing(version: str) -> None:
    """A range, an unresolved property or a path is not requested."""
    folder = Folder()
    leaf = folder.add("g:leaf:1", parent(f"g:p:{version}") + dependencies(dependency("x:a", "1")))
    assert await versions(folder, leaf) == {"x:a": "1"}
    assert folder.asked == ([Coordinates("g", "p", "1")] if "project" in version else [])


# Interpolation ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("${project.version}", "2"),
        ("${pom.version}", "2"),
        ("${version}", "property"),
        ("${project.groupId}.${pom.artifactId}", "g.leaf"),
        ("${artifactId}", "leaf"),
        ("${project.parent.version}", "9"),
        ("${parent.version}", "9"),
        ("${project.parent.groupId}:${project.parent.artifactId}", "g:p"),
        ("${revision}${sha1}${changelist}", "5-abc-SNAPSHOT"),
        ("${a}", "deep"),
        ("${project.dependency.version}", "2.2"),
        ("${v.${kind}}", "nested"),
        ("${loop}", "${loop}"),
        ("${one}", "${one}"),
        ("${missing}", "${missing}"),
        ("a-${missing}-${v.x}", "a-${missing}-nested"),
        ("${}", "${}"),
        ("${v.x", "${v.x"),
        ("$v.x}", "$v.x}"),
        ("${empty}", ""),
        ("${project.packaging}", "pom"),
    ],
)
async def test_expressions(expression: str, expected: str) -> None:
    """Elements come before properties, the child's before the parent's; unknown ones stay."""
    folder = Folder()
    folder.add("g:p:9", properties(version="property", b="${c}", kind="y"))
    leaf = folder.add(
        "g:leaf:2",
        parent("g:p:9")
        + properties(
            revision="5",
            sha1="-abc",
            changelist="-SNAPSHOT",
            a="${b}",
            c="deep",
            kind="x",
            v_x="nested",
            loop="${loop}",
            one="${two}",
            two="${one}",
            empty="",
            project_dependency_version="2.2",
        ),
    )
    effective = await folder.effective(leaf)
    assert effective.interpolate(expression) == expected


async def test_expressions_do_not_explode() -> None:
    """Properties that double each other, and endless chains, stay unresolved."""
    folder = Folder()
    doubling = {f"x{number}": f"${{x{number + 1}}}" * 10 for number in range(50)}
    chain = {f"c{number}": f"${{c{number + 1}}}" for number in range(2000)}
    leaf = folder.add("g:leaf:1", properties(**doubling, **chain, big="y" * 1_000_000))
    effective = await folder.effective(leaf)
    for hostile in ("${x0}", "${c0}", "${big}${big}", "${x0}" * 1000):
        assert len(effective.interpolate(hostile)) < 10_000


# Management ------------------------------------------------------------------------------------


async def test_imports_come_after_the_pom_and_in_their_order() -> None:
    """Own management wins, then the first bill of materials with its parents and imports."""
    folder = Folder()
    folder.add("b:base:1", managed(dependency("x:a", "base"), dependency("x:d", "${v}")))
    folder.add(
        "b:first:1", parent("b:base:1") + properties(v="first") + managed(bill("b:deep", "1"))
    )
    folder.add("b:deep:1", managed(dependency("x:a", "deep"), dependency("x:e", "deep")))
    folder.add("b:second:1", managed(dependency("x:e", "second"), dependency("x:f", "second")))
    leaf = folder.add(
        "g:leaf:1",
        properties(bom="1")
        + managed(bill("b:first", "${bom}"), bill("b:second", "1"), dependency("x:c", "own"))
        + dependencies(*(dependency(f"x:{name}") for name in "acdef")),
    )
    assert await versions(folder, leaf) == {
        "x:a": "base",
        "x:c": "own",
        "x:d": "first",
        "x:e": "deep",
        "x:f": "second",
    }
    assert len(folder.asked) == len(set(folder.asked)) == 4


async def test_bills_are_read_only_if_a_version_is_missing() -> None:
    """If all dependencies have versions, imports cost no request."""
    folder = Folder()
    leaf = folder.add(
        "g:leaf:1",
        managed(bill("b:b", "1"), dependency("x:b", "2"))
        + dependencies(dependency("x:a", "1"), dependency("x:b")),
    )
    assert await versions(folder, leaf) == {"x:a": "1", "x:b": "2"}
    assert folder.asked == []


async def test_bills_of_materials_give_exclusions_where_they_are_read() -> None:
    """A dependency without exclusions gets them; only a missing version causes a request."""
    folder = Folder()
    both = excluding(dependency("x:a", "1"), "y:managed"), excluding(dependency("x:b"), "y:b")
    folder.add("b:b:1", managed(*both, dependency("x:c", "3")))
    own = excluding(dependency("x:a"), "y:own"), dependency("x:b", "2")
    import_ = managed(bill("b:b", "1"))
    reads = folder.add("g:reads:1", import_ + dependencies(*own, dependency("x:c")))
    has_all = folder.add("g:all:1", import_ + dependencies(dependency("x:a", "1")))
    found = [(d.artifact, d.exclusions, d.managed) for d in await folder.dependencies(reads)]
    assert found == [("a", ("y:own",), True), ("b", ("y:b",), False), ("c", (), True)]
    assert [d.exclusions for d in await folder.dependencies(has_all)] == [()]
    assert folder.asked == [Coordinates("b", "b", "1")]


async def test_relocation_is_not_inherited() -> None:
    """Omitted coordinates stay the same; a parent's relocation does not apply to children."""
    moved = "<distributionManagement><relocation>{}</relocation></distributionManagement>".format
    folder = Folder()
    message = "<message>Use ${project.artifactId} of new.g</message>"
    old = folder.add("g:old:1", moved(f"<groupId>new.${{project.groupId}}</groupId>{message}"))
    child = folder.add("g:child:1", parent("g:old:1"))
    relocated = await folder.effective(old)
    assert relocated.relocation == Coordinates("new.g", "old", "1")
    assert relocated.relocation_message == "Use old of new.g"
    inherited = await folder.effective(child)
    assert (inherited.relocation, inherited.relocation_message) == (None, "")


# Links -----------------------------------------------------------------------------------------


async def test_links_of_parents_count_if_they_were_released_together() -> None:
    """A common parent of an organisation has its own address."""
    folder = Folder()
    scm = "<scm><url>https://github.com/{}</url></scm><url>https://{}.example</url>".format
    folder.add("o:org:7", scm("o/org", "org"))
    folder.add("o:project:1", parent("o:org:7") + scm("o/${project.artifactId}", "project"))
    module = folder.add("o:module:1", parent("o:project:1"))
    alone = folder.add(
        "o:alone:1",
        parent("o:org:7") + "<scm><connection>scm:git:git@github.com:o/alone.git"
        "</connection></scm>",
    )
    candidates = list(repository_candidates(await folder.effective(module)))
    assert candidates == ["https://github.com/o/module", "https://project.example"]
    assert list(repository_candidates(await folder.effective(alone))) == [
        "git@github.com:o/alone.git"
    ]


@pytest.mark.parametrize("packaging", ["", "jar", "maven-plugin", "pom"])
async def test_a_parent_s_packaging_is_not_its_children_s(
    packaging: str, maven: MavenJudge, tmp_path: Path
) -> None:
    """The default is jar, also in an inherited text."""
    folder = Folder()
    folder.add("g:p:1", dependencies(dependency("x:a", "${project.packaging}-1")))
    leaf = folder.add(
        "g:leaf:1",
        parent("g:p:1") + dependencies(dependency("x:b", "${project.packaging}-2")),
        packaging,
    )
    folder.write(tmp_path)
    kind = packaging or "jar"
    expected = {f"{d.group}:{d.artifact}": d.version for d in maven.dependencies(tmp_path, leaf)}
    assert expected == {"x:a": f"{kind}-1", "x:b": f"{kind}-2"}
    assert await versions(folder, leaf) == expected


# Bounds ----------------------------------------------------------------------------------------


def test_parsed_poms_are_bounded() -> None:
    """The process keeps the most recently used POMs, up to a total size."""
    folder = Folder()
    poms = ParsedPoms(capacity=35)
    texts = parse_pom(f"<project>{properties(a='x' * 9000)}</project>".encode(), "")
    assert texts.weight > 35
    places = [folder.add(f"g:p:{number}", "") for number in range(4)]
    for place in places[:3]:
        poms.put(place, parse_pom(folder.poms[place], ""))
    assert poms.get(places[0])
    poms.put(places[3], parse_pom(folder.poms[places[3]], ""))
    assert [poms.get(place) is not None for place in places] == [True, False, True, True]
