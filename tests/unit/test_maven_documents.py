"""Names, lists of versions and POMs of Maven Central."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packageurl import PackageURL

from ssc_ingest.ecosystems.maven import Maven
from ssc_ingest.ecosystems.maven.identity import Coordinates, metadata_path
from ssc_ingest.ecosystems.maven.metadata import parse_metadata
from ssc_ingest.ecosystems.maven.pom.model import MAX_DECLARATIONS, parse_pom
from ssc_ingest.ecosystems.maven.xml import parse_xml, text
from ssc_ingest.errors import InvalidName, MalformedMetadata
from ssc_ingest.models import Version

# Names -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "purl", "lower"),
    [
        ("org.slf4j:slf4j-api", "pkg:maven/org.slf4j/slf4j-api", "org.slf4j:slf4j-api"),
        ("com.zaxxer:HikariCP", "pkg:maven/com.zaxxer/HikariCP", "com.zaxxer:hikaricp"),
        ("junit:junit", "pkg:maven/junit/junit", "junit:junit"),
        ("org.scala-lang:scala3-library_3", "pkg:maven/org.scala-lang/scala3-library_3",
         "org.scala-lang:scala3-library_3"),
        ("a:b.c", "pkg:maven/a/b.c", "a:b.c"),
    ],
)  # fmt: skip
def test_names(name: str, purl: str, lower: str) -> None:
    """The package URL keeps the registry's case; the look-up name is in lower case."""
    ref = Maven.ref(name)
    assert (ref.purl, ref.name, ref.registry_name) == (purl, lower, name)
    group, artifact = name.split(":")
    assert ref.properties == {"group_id": group, "artifact_id": artifact}
    assert Maven.name_from_purl(PackageURL.from_string(f"{purl}@1")) == name
    assert Maven.fallback_import_name(ref) == group


@pytest.mark.parametrize(
    "name",
    [
        "", ":", "a", "a:", ":a", "a:b:c", "a/b", "a/b:c", "a:b/c", "..:a", "a:..", "a:.", "a..b:c",
        ".a:b", "a.:b", "a:.hidden", "a b:c", "a:b\n",
        "a:b?x", "a:b#x", "a:%2e%2e", "a:b\x00", "é:a",
        "a:${x}", "a" * 256 + ":b", "a:" + "b" * 256, "a:b@1", "a\\b:c",
    ],
)  # fmt: skip
def test_what_is_no_name(name: str) -> None:
    """Names that Maven rejects, or that contain path tricks, are rejected."""
    with pytest.raises(InvalidName):
        Maven.ref(name)


@given(st.text(alphabet="aA1.-_:/ %@", max_size=20))
def test_names_stay_inside_the_repository(name: str) -> None:
    """Every valid name is a path of plain segments."""
    try:
        path = metadata_path(Maven.ref(name).registry_name)
    except InvalidName:
        return
    assert len(path) >= 3
    assert all(part not in {"", ".", ".."} and "/" not in part for part in path)


@pytest.mark.parametrize(
    "version", ["", ".", "..", "1/2", "[1,2)", "${x}", "1 2", "1\n", "1?", "1%2f", "é"]
)
def test_what_is_no_place(version: str) -> None:
    """A version that is no path segment is never requested."""
    assert not Coordinates("g", "a", version).are_usable
    assert Coordinates("g", "a", "1.0-beta+x_1").are_usable


# Lists of versions -----------------------------------------------------------------------------


def versions(body: str) -> tuple[list[str], list[str]]:
    """The listed versions, and those that other fields name."""
    found = parse_metadata(body.encode(), "g:a", "")
    return list(found.listed), list(found.hinted)


def test_lists_of_versions() -> None:
    """No version occurs twice; one only in ``release``, ``latest`` or ``version`` is a hint."""
    listed = "<versions><version>1</version><version> 2 </version><version>1</version></versions>"
    body = (
        "<metadata><groupId>g</groupId><artifactId>a</artifactId>{}"
        "<versioning>{}{}</versioning></metadata>"
    )
    assert versions(body.format("", "<latest>2</latest><release>2</release>", listed)) == (
        ["1", "2"],
        [],
    )
    hints = "<latest>4</latest><release>3</release>"
    assert versions(body.format("<version>0</version>", hints, listed)) == (
        ["1", "2"],
        ["3", "4", "0"],
    )
    assert versions(
        body.format("", "", "<versions><version>../x</version><version/></versions>")
    ) == ([], [])
    assert versions("<metadata xmlns='http://maven.apache.org/METADATA/1.1.0'/>") == ([], [])


@pytest.mark.parametrize("body", ["", "<metadata>", "<project/>", "{}",
    "<metadata><groupId>g</groupId><artifactId>b</artifactId></metadata>"])  # fmt: skip
def test_what_is_no_list(body: str) -> None:
    """A text that is not XML, another document, or that of another package."""
    with pytest.raises(MalformedMetadata):
        parse_metadata(body.encode(), "g:a", "")


CENTRAL = "dependabot__dependabot-core/maven/spec/fixtures/maven_central_metadata"


@pytest.mark.recordings
@pytest.mark.parametrize(
    ("file", "name", "count", "latest"),
    [
        # Counted with grep; the latest is what the document's own ``release`` says, but for the
        # package with dates, where https://central.sonatype.com shows 3.2.2, and for xstream, whose
        # qualifiers Maven sorts by their letters.
        ("missing_latest.xml", "com.google.guava:guava", 66, "23.5-jre"),
        ("no_release.xml", "com.google.guava:guava", 68, "23.6-jre"),
        ("with_release.xml", "com.google.guava:guava", 70, "23.6-jre"),
        ("mockk_with_release.xml", "io.mockk:mockk", 65, "1.10.0"),
        ("parent_pom.xml", "com.example:parent-pom", 13, "4.1.0"),
        ("with_version_type_releases.xml", "com.thoughtworks.xstream:xstream", 8,
         "1.4.12-native-mt"),
        ("with_date_releases.xml", "commons-collections:commons-collections", 17, "3.2.2"),
        ("snapshot.xml", "org.springframework.boot:spring-boot-starter-parent", 0,
         None),
    ],
)  # fmt: skip
def test_recorded_lists(
    recordings: Path, file: str, name: str, count: int, latest: str | None
) -> None:
    """Recorded lists of the repository are read."""
    found = parse_metadata((recordings / CENTRAL / file).read_bytes(), name, file)
    assert len(found.listed) == count
    assert found.hinted == (() if count else ("1.5.9-SNAPSHOT",))
    ref = Maven.ref(name)
    ordered = [
        Version(name=v, purl=Maven.version_purl(ref, v), release_date=None, requirements=None)
        for v in Maven.order((version, None) for version in found.listed)
    ]
    assert Maven.latest(ordered) == latest


@pytest.mark.recordings
@pytest.mark.parametrize(
    "file", [f"{CENTRAL}/with_release.html", f"{CENTRAL}/../google_metadata/com_google_guava.xml"]
)
def test_recorded_documents_that_are_no_lists(recordings: Path, file: str) -> None:
    """A directory's page, and the list of another protocol."""
    with pytest.raises(MalformedMetadata):
        parse_metadata((recordings / file).read_bytes(), "com.google.guava:guava", file)


DECLARED = (
    b'<?xml version="1.0"?><!-- <!DOCTYPE y [ --><?z ?>\n'
    b"<!DOCTYPE project [\n<!ENTITY a 'x'><!ATTLIST name b CDATA 'c'>]>\n"
    b"<project><name>x&copy;</name></project>"
)


# XML that is not ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "name"),
    [
        (b"<project><name>\xe9t\xe9</name></project>", "\ufffdt\ufffd"),
        (b'<?xml version="1.0" encoding="ISO-8859-1"?><project><name>\xe9</name></project>', "é"),
        (b'<?xml version="1.0" encoding="no-such"?><project><name>x</name></project>', "x"),
        (b'<?xml version="1.0" encoding="zlib"?><project><name>x</name></project>', "x"),
        (b"<project><name>&copy; &amp; &lt;x&gt;</name></project>", "© & <x>"),
        (b'<project xsi:schemaLocation="a b"><name>x</name></project>', "x"),
        (b'\n <?xml version="1.0"?>\n<project><name>x</name></project>', "x"),
        (b"\xef\xbb\xbf<project><name>x</name></project>", "x"),
        ("<project><name>x</name></project>".encode("utf-16"), "x"),
        (b"<project><name>a\x0bb</name></project>", "a\ufffdb"),
        (b"<project><name>a<!-- c -->b<?pi d?>c</name></project>", "abc"),
        (
            b"<m:project xmlns:m='http://maven.apache.org/POM/4.0.0'><m:name>x</m:name></m:project>",
            "x",
        ),
        (b"<project><Xlint:-unchecked/><name>x</name></project>", "x"),
        (b"<project><a combine:children='append' combine:self=''/><name>x</name></project>", "x"),
        (b"<p:project xmlns:p='u'><q:x><q:y z:a='b'/></q:x><p:name>x</p:name></p:project>", "x"),
        (b"<!DOCTYPE project><project><name>x</name></project>", "x"),
        (b"<!DOCTYPE project SYSTEM 'http://127.0.0.1:1/x'><project><name>x</name></project>", "x"),
        (DECLARED, "x©"),
    ],
)
def test_mistakes_that_maven_lets_pass(body: bytes, name: str) -> None:
    """Wrong encodings, HTML entities, undeclared prefixes and declarations are accepted."""
    assert text(parse_xml(body, "project", ""), "name") == name


def test_entities_are_never_expanded() -> None:
    """A POM with entities in texts or attributes is rejected at once."""
    laughs = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 30))
    doctype = f'<!DOCTYPE project [<!ENTITY l0 "ha">{laughs}]>'
    for use in ("<name>&l29;</name>", "<name x='&l29;'/>", "<properties><a>&l29;</a></properties>"):
        with pytest.raises(MalformedMetadata):
            parse_pom(f"{doctype}<project>{use}</project>".encode(), "")
    unused = parse_pom(f"{doctype}<project><name>x</name></project>".encode(), "")
    assert unused.values == {"name": "x"}


@pytest.mark.parametrize(
    "body",
    [
        b"", b"x", b"<project>", b"<project></projekt>", b"<a/><b/>", b"\x00", b"<html/>",
        b'<!DOCTYPE p [<!ENTITY a "x">]><project name="&a;">&a;</project>',
        b'<!DOCTYPE p [<!ENTITY a "x">]><project>&a;&nbsp;</project>',
        b'<!DOCTYPE p [<!ENTITY a SYSTEM "file:///etc/passwd">]><project>&a;</project>',
        b'<!DOCTYPE p [<!ENTITY % a SYSTEM "file:///etc/passwd"> %a;]><project>&b;</project>',
        b"<project><!DOCTYPE project></project>", b"<!DOCTYPE project [<project/>",
        b"<!DOCTYPE a><!DOCTYPE b><project/>", b"<a:project/>", b"<a:b xmlns:a='x'></a:c>",
        b"<project>&undefined;</project>", b"<project>" * 1000,
    ],
)  # fmt: skip
def test_what_is_no_pom(body: bytes) -> None:
    """A text that is not XML, not a POM, or has an entity of its document type declaration."""
    with pytest.raises(MalformedMetadata):
        parse_pom(body, "")


@given(
    st.binary(max_size=200)
    | st.text(alphabet="<>/project&;!?[]\"'= ", max_size=200).map(str.encode)
)
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    """Any response is a POM or raises a typed error."""
    try:
        parse_pom(body, "")
    except MalformedMetadata:
        return


@pytest.mark.recordings
def test_nested_dependencies_are_passed_over(recordings: Path) -> None:
    """A recorded POM has a ``dependency`` in a ``dependency``: Maven ignores both."""
    folder = recordings / "aboutcode-org__purldb/minecode/tests/testfiles/maven/parsing/loop"
    pom = parse_pom((folder / "coreplugin-1.0.0.pom").read_bytes(), "")
    assert [(d.group, d.artifact) for d in pom.dependencies.values()] == [("", "")]


def test_declarations_are_bounded() -> None:
    """Dependencies beyond the limit are ignored."""
    body = "".join(f"<dependency><artifactId>a{n}</artifactId></dependency>" for n in range(25_000))
    pom = parse_pom(f"<project><dependencies>{body}</dependencies></project>".encode(), "")
    assert len(pom.dependencies) == MAX_DECLARATIONS
