"""Java packages by the paths in an archive, and the names that stand for them."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssc_ingest.archives.source import BytesSource
from ssc_ingest.ecosystems.maven import import_names
from ssc_ingest.ecosystems.maven.import_names import packages_of_aar, packages_of_jar
from ssc_ingest.ecosystems.maven.java_packages import MAX_PACKAGE, package_of, roots
from ssc_ingest.errors import ArchiveTooLarge, MalformedArchive
from tests.unit.archives import Counted, archive, entry, zipped
from tests.unit.hostile import assert_linear

PATHS = {
    "com/google/common/base/Joiner.class": "com.google.common.base",
    "org/example/Ünïcode.class": "org.example",
    "kotlin/collections/CollectionsKt.class": "kotlin.collections",
    "com/google/gson/internal/$Gson.class": "com.google.gson.internal",
    "shadow/a$b/C.class": "shadow.a$b",
    "META-INF/versions/9/org/example/New.class": "org.example",
    "BOOT-INF/classes/com/example/App.class": "com.example",
    "WEB-INF/classes/com/example/Servlet.class": "com.example",
    "commonMain/default/linkdata/package_kotlinx.coroutines.flow/0_flow.knm": (
        "kotlinx.coroutines.flow"
    ),
}

NO_PACKAGES = [
    "Main.class",
    "module-info.class",
    "META-INF/versions/9/module-info.class",
    "com/example/package-info.class",
    "com/example/Outer$Inner.class",
    "com/example/Outer$1.class",
    "com/example/",
    "com/example/Source.java",
    "com/example/data.properties",
    "META-INF/com/example/Hidden.class",
    "META-INF/versions/x/com/example/New.class",
    "BOOT-INF/lib/other-1.0.jar",
    "inst/com/example/Agent.classdata",
    "1.0/Example.class",
    "a-b/Example.class",
    "/com/example/Absolute.class",
    "../com/example/Parent.class",
    "com//example/Empty.class",
    "com\\example\\Windows.class",
    "com/exa\nmple/Line.class",
    "a/" * MAX_PACKAGE + "Long.class",
    "default/linkdata/root_package/0_.knm",
    "default/linkdata/package_a..b/0_.knm",
]


@pytest.mark.parametrize(("path", "package"), PATHS.items())
def test_a_class_has_a_package(path: str, package: str) -> None:
    """A class counts in a multi-release jar, an executable jar, or a web archive, too."""
    assert package_of(path) == package


@pytest.mark.parametrize("path", NO_PACKAGES)
def test_other_members_have_none(path: str) -> None:
    """Nothing in them can be imported by the name of their folder."""
    assert package_of(path) is None


@pytest.mark.parametrize(
    "parts",
    [
        ("", "a/", "B.class"),
        ("", "a/", "B-.class"),
        ("", "a", "-.class"),
        ("", "linkdata/package_a", ".knm"),
        ("linkdata/package_", "a.", "-/0.knm"),
    ],
)
def test_long_paths_take_linear_time(parts: tuple[str, str, str]) -> None:
    """A path has up to 65,535 characters, and an archive has many of them."""
    assert_linear(package_of, parts, 65_000)


GUAVA = [
    "com.google.common.annotations",
    "com.google.common.base",
    "com.google.common.collect",
    "com.google.common.util.concurrent",
    "com.google.thirdparty.publicsuffix",
]

ROOTS = {
    "guava": ("com.google.guava", GUAVA, "com.google.common com.google.thirdparty"),
    "slf4j-api": (
        "org.slf4j",
        ["org.slf4j", "org.slf4j.event", "org.slf4j.helpers", "org.slf4j.spi"],
        "org.slf4j",
    ),
    "jackson-databind, not jackson-core": (
        "com.fasterxml.jackson.core",
        ["com.fasterxml.jackson.databind", "com.fasterxml.jackson.databind.annotation"],
        "com.fasterxml.jackson.databind",
    ),
    "log4j-core, not log4j-api": (
        "org.apache.logging.log4j",
        ["org.apache.logging.log4j.core", "org.apache.logging.log4j.core.appender"],
        "org.apache.logging.log4j.core",
    ),
    "spring-core, not all of Spring": (
        "org.springframework",
        ["org.springframework.core", "org.springframework.core.io", "org.springframework.util"],
        "org.springframework.core org.springframework.util",
    ),
    "a group of many artifacts": (
        "org.codehaus.plexus",
        [
            "org.codehaus.plexus.archiver.tar",
            "org.codehaus.plexus.archiver.zip",
            "org.codehaus.plexus.components.io.resources",
        ],
        "org.codehaus.plexus.archiver org.codehaus.plexus.components.io.resources",
    ),
    "a group that is no package": ("junit", ["junit.framework", "org.junit"], None),
    "a shaded jar": (
        "com.example.app",
        [
            "com.example.app.api",
            "com.example.app.web",
            "org.apache.commons.io",
            "org.apache.commons.lang3",
            "org.apache.commons.lang3.text",
        ],
        "com.example.app.api com.example.app.web org.apache.commons.io org.apache.commons.lang3",
    ),
    "similar names": ("a.b", ["a.b.c", "a.b.cd", "a.b.c.d"], "a.b.c a.b.cd"),
    "nothing": ("org.example", [], ""),
}


@pytest.mark.parametrize(("group", "packages", "expected"), ROOTS.values(), ids=ROOTS)
def test_roots(group: str, packages: list[str], expected: str | None) -> None:
    """The right names; without a right answer, the packages themselves."""
    assert roots(packages, group) == set(packages if expected is None else expected.split())


SEGMENT = st.sampled_from(["com", "org", "a", "ab", "b"])
PACKAGE = st.lists(SEGMENT, min_size=1, max_size=5).map(".".join)


@given(st.lists(PACKAGE, max_size=30), PACKAGE, st.randoms(use_true_random=False))
def test_roots_match_every_package(packages: list[str], group: str, random: Random) -> None:
    """No package is missed, no name is idle or inside another one, and order has no effect."""
    found = roots(packages, group)
    for package in packages:
        assert sum(f"{package}.".startswith(f"{name}.") for name in found) == 1
    for name in found:
        assert any(f"{package}.".startswith(f"{name}.") for package in packages)
        assert name in packages or name.count(".") >= 2
    shuffled = random.sample(packages, len(packages))
    assert roots(shuffled, group) == found


async def test_a_jar() -> None:
    """The names are all packages of a jar; its classes are not read."""
    random = Random(3)
    classes = {f"org/example/p{n}/C.class": random.randbytes(9000) for n in range(40)}
    source = Counted(zipped({"META-INF/MANIFEST.MF": b"", **classes}))
    assert await packages_of_jar(source) == {f"org.example.p{n}" for n in range(40)}
    assert source.bytes_read < 0.3 * len(source.content)


async def test_a_jar_of_nothing() -> None:
    """A starter's jar has no classes."""
    assert await packages_of_jar(BytesSource(zipped({"META-INF/MANIFEST.MF": b""}))) == set()


async def test_an_android_library() -> None:
    """Classes are in jars inside it; other jars are for tools."""
    own = zipped({"com/example/View.class": b"x"})
    other = zipped({"org/bundled/Help.class": b"x"})
    lint = zipped({"com/example/lint/Check.class": b"x"})
    aar = zipped(
        {"AndroidManifest.xml": b"", "classes.jar": own, "libs/b.jar": other} | {"lint.jar": lint}
    )
    assert await packages_of_aar(BytesSource(aar)) == {"com.example", "org.bundled"}
    assert await packages_of_aar(BytesSource(zipped({"AndroidManifest.xml": b""}))) == set()


async def test_hostile_android_libraries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Jars inside are no deeper than one level, limited in size and number, and checked."""
    with pytest.raises(MalformedArchive):
        await packages_of_aar(BytesSource(zipped({"classes.jar": b"<html>"})))
    inner = zipped({"a/B.class": b"", "classes.jar": zipped({"c/D.class": b""})})
    assert await packages_of_aar(BytesSource(zipped({"classes.jar": inner}))) == {"a"}
    many = {f"libs/{n:03}.jar": zipped({f"p{n}/C.class": b""}) for n in range(50)}
    found = await packages_of_aar(BytesSource(zipped({**many, "classes.jar": inner})))
    assert len(found) == import_names.MAX_INNER_JARS
    assert "a" in found
    monkeypatch.setattr(import_names, "MAX_INNER_JAR", 100)
    with pytest.raises(ArchiveTooLarge):
        await packages_of_aar(BytesSource(zipped({"classes.jar": inner})))


async def test_hostile_names_in_a_jar() -> None:
    """Names that no package has are ignored, also very long and undecodable ones."""
    names = [b"\xff/A.class", b"a/" * 30_000 + b"B.class", b"../a/B.class", b"C:/a/B.class"]
    data = archive([entry(name, flags=0x800) for name in [*names, b"good/B.class"]])
    assert await packages_of_jar(BytesSource(data)) == {"good"}
