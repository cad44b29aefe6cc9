"""Rules of Maven's model builder, each compared with the builder itself."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssc_ingest.ecosystems.maven.identity import Coordinates
from ssc_ingest.ecosystems.maven.pom.model import parse_pom
from ssc_ingest.ecosystems.maven.pom.profiles import JDKS
from ssc_ingest.errors import MalformedMetadata
from tests.properties import examples
from tests.unit.maven_folder import (
    Folder,
    bill,
    dependencies,
    dependency,
    managed,
    parent,
    properties,
)
from tests.unit.maven_judge import MavenJudge, Refused

Found = list[tuple[str, str, str]]
"""Name, version and scope of each dependency."""


async def ours(folder: Folder, place: Coordinates) -> Found:
    """The dependencies found by the reader."""
    found = await folder.dependencies(place)
    return [(f"{d.group}:{d.artifact}", d.version, d.scope or "compile") for d in found]


def theirs(maven: MavenJudge, path: Path, place: Coordinates, java: str = JDKS[0]) -> Found:
    """The dependencies found by Maven."""
    found = maven.dependencies(path, place, java)
    return [(f"{d.group}:{d.artifact}", d.version, d.scope) for d in found]


# Documents -------------------------------------------------------------------------------------

ROOT = b"<project>"
DOCTYPE = b'<!DOCTYPE project [<!ENTITY v "9">]>'


@pytest.mark.parametrize(
    "change",
    [
        (ROOT, b"<!DOCTYPE project>" + ROOT),
        (ROOT, b"<!DOCTYPE project SYSTEM 'http://127.0.0.1:1/x'>" + ROOT),
        (ROOT, DOCTYPE + ROOT),
        (ROOT, b"<!-- <!DOCTYPE x [ -->" + ROOT),
        (ROOT, b"<project xmlns:x='y' a:b='c' x:d='e'>"),
        (ROOT, ROOT + b"<build><plugins><plugin><artifactId>x</artifactId><configuration "
         b"combine:children='append'><Xlint:-unchecked/></configuration></plugin></plugins></build>"),
    ],
)  # fmt: skip
async def test_documents_that_maven_reads(
    change: tuple[bytes, bytes], maven: MavenJudge, tmp_path: Path
) -> None:
    """Document type declarations are ignored; prefixes need not be declared."""
    folder = Folder()
    place = folder.add("g:a:1", dependencies(dependency("x:a", "1")))
    folder.poms[place] = folder.poms[place].replace(*change)
    folder.write(tmp_path)
    assert await ours(folder, place) == theirs(maven, tmp_path, place) == [("x:a", "1", "compile")]


@pytest.mark.parametrize("use", ["<version>&v;</version>", "<type>&v;</type>", "<x>&v;</x>"])
def test_documents_that_maven_refuses(use: str, maven: MavenJudge, tmp_path: Path) -> None:
    """A declared entity is never expanded, and the POM is unreadable."""
    folder = Folder()
    place = folder.add("g:a:1", dependencies(dependency("x:a", "").replace("</d", f"{use}</d")))
    folder.poms[place] = folder.poms[place].replace(ROOT, DOCTYPE + ROOT)
    folder.write(tmp_path)
    with pytest.raises(Refused):
        theirs(maven, tmp_path, place)
    with pytest.raises(MalformedMetadata, match="not XML"):
        parse_pom(folder.poms[place], "")


# Profiles --------------------------------------------------------------------------------------

DEFAULT = "<activeByDefault>true</activeByDefault>"


def profile(name: str, activation: str, inside: str = "") -> str:
    """A profile with the dependency ``p:name``."""
    return (
        f"<profile><id>{name}</id><activation>{activation}</activation>"
        f"{dependencies(dependency(f'p:{name}', '1'))}{inside}</profile>"
    )


def element(kind: str, /, **parts: str | None) -> str:
    """An element of texts: ``element("os", family="unix")``; ``None``: there is none."""
    inside = "".join(f"<{k}>{v}</{k}>" for k, v in parts.items() if v is not None)
    return f"<{kind}>{inside}</{kind}>"


def is_active(activation: str, maven: MavenJudge, path: Path) -> tuple[bool, set[bool]]:
    """Whether a profile is active for the reader, and the JDKs for which it is active in Maven."""
    folder = Folder()
    place = folder.add(
        "g:a:1",
        properties(own="/own")
        + f"<profiles>{profile('default', DEFAULT)}{profile('other', activation)}</profiles>",
    )
    folder.write(path)
    answers = {tuple(d.artifact for d in maven.dependencies(path, place, jdk)) for jdk in JDKS}
    assert answers <= {("default",), ("other",)}
    (found,) = parse_pom(folder.poms[place], "").dependencies
    return found.artifact == "other", {answer == ("other",) for answer in answers}


OS = ["Linux", "linux", "lin", "unix", "Unix", "windows", "Windows", "mac", "dos", "z/os", "amd64",
      "x86", "aarch64", "os/2", "5"]  # fmt: skip
negations = st.sampled_from(["", "!"])
oses = st.none() | st.builds(lambda no, name: no + name, negations, st.sampled_from(OS))
jdk_versions = st.sampled_from(
    ["", "1", "1.8", "9", "10", "11", "11.0.29", "12", "17", "17.0", "18", "21", "25", "25.0.1",
     "26", "99", "1.5.0-b1", "x", "1.x", "17.", "9999999999"]
)  # fmt: skip
jdks = st.one_of(
    st.builds(lambda no, version: no + version, negations, jdk_versions),
    st.builds(
        "{}{}{}{}{}".format,
        st.sampled_from("[(!"), jdk_versions, st.sampled_from([",", ", ", "", ",,"]),
        jdk_versions, st.sampled_from([")", "]", "", " )", "],[30,)"]),
    ),
)  # fmt: skip
activations = st.one_of(
    jdks.map("<jdk>{}</jdk>".format),
    st.builds(lambda **parts: element("os", **parts), family=oses, name=oses, arch=oses,
              version=oses),
    st.builds(
        lambda **parts: element("property", **parts),
        name=st.sampled_from(["x", "!x", "os.name", "!os.name", "java.version", "!"]),
        value=st.sampled_from([None, "", "v", "!v", "Linux", "!Linux", "!"]),
    ),
    st.builds(
        lambda **parts: element("file", **parts),
        exists=st.sampled_from([None, None, "", "x", "/no/such"]),
        missing=st.sampled_from([None, "", "x", "/no/such", "${basedir}/x", "${java.home}/no",
                                 "${own}/x", "${project.basedir}/x", "/${basedir}/x"]),
    ),
)  # fmt: skip


@given(conditions=st.lists(activations, min_size=1, max_size=2, unique_by=lambda a: a[:4]))
@examples(3)
def test_profiles_are_active_as_for_maven(
    conditions: list[str], maven: MavenJudge, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A profile must be active on Linux and on all JDKs; an active one disables the default."""
    found, expected = is_active("".join(conditions), maven, tmp_path_factory.mktemp("profiles"))
    assert found == (expected == {True})


@pytest.mark.parametrize(
    ("activation", "expected"),
    [
        ("<jdk>[9,)</jdk>", True),
        ("<jdk>!1.8</jdk>", True),
        ("<jdk>[1.5,18)</jdk>", False),
        ("<jdk>17</jdk>", False),
        (element("property", name="!guice.with.cglib", value="!x"), True),
        (element("property", name="guice.with.cglib", value="!no"), True),
        (element("property", name="!guice.with.cglib", value="no"), False),
        (element("os", family="unix"), True),
        (element("os", family="!windows"), True),
        (element("os", family="mac"), False),
        (element("property", name="!x") + "<jdk>[1.5,)</jdk>", True),
        (element("property", name="!x") + "<jdk>[99,)</jdk>", False),
    ],
)
def test_a_profile(activation: str, expected: bool, maven: MavenJudge, tmp_path: Path) -> None:  # noqa: FBT001
    """The kinds that occur in practice."""
    found, answers = is_active(activation, maven, tmp_path)
    assert found is expected
    assert (answers == {True}) is expected


async def test_what_profiles_give(maven: MavenJudge, tmp_path: Path) -> None:
    """Properties, elements, dependencies and management override the POM's; also a parent's."""
    folder = Folder()
    more = properties(p="profile", q="profile") + managed(dependency("x:m", "2"))
    profiles = profile("one", "<jdk>[9,)</jdk>", more + "<build><finalName>f</finalName></build>")
    profiles += profile("two", "<jdk>[9,)</jdk>", properties(p="two")) + profile("no", DEFAULT)
    body = properties(p="own") + managed(dependency("x:m", "1"), dependency("x:n", "1"))
    own = dependencies(
        *(dependency(name) for name in ("x:m", "x:n")),
        dependency("x:p", "${p}-${q}-${project.build.finalName}"),
        dependency("p:one", "7", scope="test"),
    )
    one = folder.add("g:a:1", f"{body}{own}<profiles>{profiles}</profiles>")
    folder.add("g:p:1", f"{body}<profiles>{profiles}</profiles>")
    two = folder.add("g:b:1", parent("g:p:1") + own)
    folder.write(tmp_path)
    for place in (one, two):
        assert await ours(folder, place) == theirs(maven, tmp_path, place)
    assert ("x:p", "two-profile-f", "compile") in await ours(folder, one)


# Elements --------------------------------------------------------------------------------------

ELEMENTS = (
    "<name>n</name><description>d</description><inceptionYear>1999</inceptionYear>"
    "<organization><name>on</name></organization><prerequisites><maven>3.1</maven></prerequisites>"
    "<scm><tag>t</tag></scm><issueManagement><system>is</system></issueManagement>"
    "<ciManagement><system>cs</system></ciManagement><build><finalName>f</finalName></build>"
    "<distributionManagement><downloadUrl>du</downloadUrl></distributionManagement>"
)
OWN = (
    "<organization><url>ou</url></organization><issueManagement><url>iu</url></issueManagement>"
    "<ciManagement><url>cu</url></ciManagement><build><defaultGoal>dg</defaultGoal></build>"
    "<distributionManagement><status>s</status></distributionManagement>"
)
PATHS = [
    "name", "description", "inceptionYear", "organization.name", "organization.url",
    "prerequisites.maven", "issueManagement.system", "issueManagement.url", "ciManagement.system",
    "ciManagement.url", "build.finalName", "build.defaultGoal", "modelVersion", "packaging",
    "distributionManagement.downloadUrl", "distributionManagement.status",
]  # fmt: skip


@pytest.mark.parametrize("prefix", ["project.", "pom.", ""])
@pytest.mark.parametrize(
    "body",
    ["", ELEMENTS, parent("g:p:1"), parent("g:p:1") + OWN],
    ids=["none", "own", "up", "both"],
)
async def test_expressions_over_elements(
    prefix: str, body: str, maven: MavenJudge, tmp_path: Path
) -> None:
    """Own and inherited elements; some are inherited as a whole, some not at all."""
    folder = Folder()
    folder.add("g:p:1", ELEMENTS)
    texts = [dependency(f"e:{path}", f"${{{prefix}{path}}}") for path in PATHS]
    texts += [dependency("e:os", "${os.name}-${os.arch}")]
    place = folder.add("g:a:1", body + dependencies(*texts))
    folder.write(tmp_path)
    assert await ours(folder, place) == theirs(maven, tmp_path, place)


# Parents by range ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("[1,2)", "2-beta"), ("[1,2]", "2"), ("(,2)", "2-beta"), ("[1.5]", "1.5"),
        ("(1,1.5]", "1.5"), ("[1,1.5],[3,4]", "3"), ("[1,)", None), ("[1,1.5],[3,)", None),
        ("[5,6]", None), ("[1,1.5", None), ("1.5", "1.5"),
    ],
)  # fmt: skip
async def test_parents_by_range(
    reference: str, expected: str | None, maven: MavenJudge, tmp_path: Path
) -> None:
    """The highest version in the range counts; if Maven rejects the POM, the parent is missing."""
    folder = Folder()
    for version in ("1", "1.5", "2-beta", "2", "3"):
        body = properties(v=version) + managed(dependency("x:m", version, scope="runtime"))
        folder.add(f"g:p:{version}", body)
    texts = (("x:m", ""), ("x:v", "${v}"), ("x:up", "${project.parent.version}"))
    place = folder.add("g:a:1", parent(f"g:p:{reference}") + dependencies(
        *(dependency(*text) for text in texts)))  # fmt: skip
    folder.write(tmp_path)
    found = await ours(folder, place)
    if expected is None:
        with pytest.raises(Refused):
            theirs(maven, tmp_path, place)
        assert found[0] == ("x:m", "", "compile")
    else:
        assert found == theirs(maven, tmp_path, place)
        assert found[:2] == [("x:m", expected, "runtime"), ("x:v", expected, "compile")]


async def test_bills_of_materials_have_no_ranges(maven: MavenJudge, tmp_path: Path) -> None:
    """Maven does not search versions of imports."""
    folder = Folder()
    folder.add("g:b:1", managed(dependency("x:a", "1")))
    place = folder.add("g:a:1", managed(bill("g:b", "[1,2)")) + dependencies(dependency("x:a")))
    folder.write(tmp_path)
    assert await ours(folder, place) == theirs(maven, tmp_path, place) == [("x:a", "", "compile")]


# Management ------------------------------------------------------------------------------------

TWICE = (dependency("x:a", "1"), dependency("x:a", "2", scope="test"))
REVERSED = (dependency("x:a", "", scope="test"), dependency("x:a", "2", scope="runtime"))
SAME = (dependency("${x}:a", "1"), dependency("x:a", "2", scope="test"))
BY_DEFAULT = "<profiles>" + profile("p", DEFAULT, managed(dependency("y:y", "1"))) + "</profiles>"


@pytest.mark.parametrize("entries", [TWICE, REVERSED, SAME], ids=["twice", "parts", "same"])
@pytest.mark.parametrize(
    ("up", "imports", "profiles"),
    [
        ("", "", ""), ("empty", "", ""), ("manages", "", ""), ("twice", "", ""), ("deep", "", ""),
        ("imports", "", ""), ("", "manages", ""), ("empty", "manages", ""), ("", "twice", ""),
        ("", "deep", ""), ("", "", BY_DEFAULT), ("manages", "deep", BY_DEFAULT),
    ],
)  # fmt: skip
async def test_keys_that_are_managed_twice(  # noqa: PLR0917
    entries: tuple[str, str],
    up: str,
    imports: str,
    profiles: str,
    maven: MavenJudge,
    tmp_path: Path,
) -> None:
    """The first counts; in merged lists the last one of the nearest POM."""
    folder = Folder()
    folder.add("q:empty:1", "")
    folder.add("q:manages:1", managed(dependency("z:z", "1")))
    folder.add("q:twice:1", managed(*TWICE))
    folder.add("q:deep:1", parent("q:manages:1") + managed(*TWICE))
    folder.add("q:imports:1", managed(*TWICE, bill("q:manages", "1")))
    above = parent(f"q:{up}:1") if up else ""
    bills = [bill(f"q:{imports}", "1")] if imports else []
    own = dependencies(dependency("x:a"))
    places = [
        folder.add("g:a:1", above + properties(x="x") + managed(*entries, *bills) + own + profiles),
        folder.add("g:b:1", above + properties(x="x") + managed(*bills) + own + profiles),
    ]
    folder.write(tmp_path)
    for place in places:
        assert await ours(folder, place) == theirs(maven, tmp_path, place)


@pytest.mark.parametrize("up", ["", parent("q:manages:1")])
async def test_bills_that_are_imported_twice(up: str, maven: MavenJudge, tmp_path: Path) -> None:
    """Of two versions the first counts; with inheritance, the last."""
    folder = Folder()
    folder.add("q:manages:1", managed(dependency("z:z", "1"), bill("q:b", "1")))
    for version in "123":
        folder.add(f"q:b:{version}", managed(dependency("x:a", version)))
    body = managed(bill("q:b", "2"), bill("q:b", "3")) + dependencies(dependency("x:a"))
    place = folder.add("g:a:1", up + body)
    folder.write(tmp_path)
    expected = [("x:a", "3" if up else "2", "compile")]
    assert await ours(folder, place) == theirs(maven, tmp_path, place) == expected


async def test_scopes_come_from_bills_that_are_read(maven: MavenJudge, tmp_path: Path) -> None:
    """A dependency with a version takes its scope from a bill that another one requires."""
    folder = Folder()
    folder.add("q:one:1", managed(dependency("x:a", "1", scope="test"), bill("q:deep", "1")))
    folder.add("q:deep:1", managed(dependency("x:b", "1"), dependency("x:c", "1", scope="test")))
    folder.add("q:two:1", managed(dependency("x:c", "1", scope="runtime")))
    given = (dependency("x:a", "9"), dependency("x:c", "9"))
    body = managed(bill("q:one", "1"), bill("q:two", "1"))
    place = folder.add("g:a:1", body + dependencies(*given, dependency("x:b")))
    folder.write(tmp_path)
    found = await ours(folder, place)
    assert found == theirs(maven, tmp_path, place)
    assert [scope for _, _, scope in found] == ["test", "test", "compile"]
    alone = folder.add("g:b:1", body + dependencies(*given))
    folder.asked.clear()
    assert [scope for _, _, scope in await ours(folder, alone)] == ["compile", "compile"]
    assert folder.asked == []


# Inputs that went wrong ------------------------------------------------------------------------


@pytest.mark.recordings
@pytest.mark.parametrize(
    ("case", "place", "expected"),
    [
        ("doctype", "acme.lab:m02:1", {"acme.dep:a": "1"}),
        ("model-elements", "acme.lab:m03:1",
         {"org.apache.maven:maven-core": "3.0.5", "acme.dep:b": "1"}),
        ("model-elements", "acme.lab:m03c:1", {"acme.dep:a": "2019", "acme.dep:acme": "1",
         "acme.dep:c": "1.4.0.0", "acme.dep:d-fin": "1"}),
        ("parent-range", "acme.lab:m04:1", {"acme.dep:a": "a1.5", "acme.dep:b": "b1.5"}),
        ("jdk-profile", "acme.lab:m13:1", {"acme.dep:a": "1", "acme.dep:jaxb": "2"}),
        ("jdk-profile", "acme.lab:m28:1", {"acme.dep:a": "1", "acme.dep:both": "1"}),
    ],
)  # fmt: skip
async def test_inputs_that_went_wrong(
    cases: Path, maven: MavenJudge, case: str, place: str, expected: dict[str, str]
) -> None:
    """Each has the same dependencies as in Maven."""
    repository = cases / f"maven-{case}" / "maven2"
    folder = Folder(
        {
            Coordinates(".".join(file.parts[len(repository.parts) : -3]), *file.parts[-3:-1]):
                file.read_bytes()
            for file in repository.rglob("*.pom")
        }
    )  # fmt: skip
    coordinates = Coordinates(*place.split(":"))
    found = await ours(folder, coordinates)
    assert {name: version for name, version, _ in found} == expected
    assert found == theirs(maven, repository, coordinates)
