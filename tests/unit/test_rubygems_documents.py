"""The compact index's files and the API's documents: recorded ones and broken ones."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from ssc_ingest.ecosystems.repository_urls import clean_repository_url
from ssc_ingest.ecosystems.rubygems import RubyGems
from ssc_ingest.ecosystems.rubygems.api import links_of, parse_gem, parse_releases, release_dates
from ssc_ingest.ecosystems.rubygems.builds import RequirementReader
from ssc_ingest.ecosystems.rubygems.info import parse_info
from ssc_ingest.errors import MalformedMetadata
from ssc_ingest.models import VersionName
from tests.unit.gem_readers import selected

URL = "https://index.example/info/demo"
REF = RubyGems.ref("demo")


def requirements_of(body: bytes, number: str) -> dict[str, str]:
    """Constraint by purl of a version."""
    reader = RequirementReader("demo")
    read = {release.number: reader.read(release) for release in parse_info(body, REF, URL).values()}
    reader.report()
    return {r.package.purl: r.constraints for r in read[VersionName(number)].found}


# Lines ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "found"),
    [
        # "2.2.2 actionmailer:= 2.2.2,...|checksum:..." in the guide's example of rails
        (b"1 actionmailer:= 2.2.2,rake:>= 0.8.3|checksum:84fd",
         {"pkg:gem/actionmailer": "= 2.2.2", "pkg:gem/rake": ">= 0.8.3"}),
        # a dependency is optional
        (b"1 |checksum:84fd,ruby:>= 1.9", {}),
        # "GEM:CONSTRAINT[&CONSTRAINT]", and its examples
        (b"1 unicode-display_width:< 3.0&>= 2.4.0|checksum:1",
         {"pkg:gem/unicode-display_width": ">= 2.4.0, < 3.0"}),
        (b"1 tilt:!= 1.3.0&~> 1.1|checksum:1", {"pkg:gem/tilt": "~> 1.1, != 1.3.0"}),
        # the space after an operator is optional
        (b"1 rack:~>1.0|checksum:1", {"pkg:gem/rack": "~> 1.0"}),
        (b"1 a:>= 0|checksum:1", {"pkg:gem/a": "any"}),
        (b"1 ZenTest:>= 1|checksum:1", {"pkg:gem/ZenTest": ">= 1"}),
        # keys after "|" are about the gem itself, never dependencies
        (b"1 |checksum:1,ruby:< 4&>= 2.7,rubygems:> 1.3.1,of_the_future:a:b", {}),
        # Bundler's parser takes these too
        (b"1", {}),
        (b"1 ", {}),
        (b"1 a|checksum:1", {"pkg:gem/a": "any"}),
        (b"1 a:|checksum:1", {"pkg:gem/a": "any"}),
        (b"1 a:nonsense|checksum:1", {"pkg:gem/a": "any"}),
        (b"1 a:>= 1,a:< 2|checksum:1", {"pkg:gem/a": ">= 1, < 2"}),
        (b"1 demo:< 1|", {"pkg:gem/demo": "< 1"}),
    ],
)  # fmt: skip
def test_line_is_read(line: bytes, found: dict[str, str]) -> None:
    """https://guides.rubygems.org/rubygems-org-compact-index-api/, "info File Format"."""
    assert requirements_of(b"---\n" + line + b"\n", "1") == found


def test_platforms_are_one_version() -> None:
    """A version's requirements are those of the platform ruby, the default of a line.

    "The first - (minus) character splits the VERSION and PLATFORM. The PLATFORM may contain more
    dashes."
    """
    body = (
        b"---\n"
        b"1.0-x86-mswin32-60 ffi:~> 1.9,rake:>= 1|checksum:1\n"
        b"1.0 rake:>= 2|checksum:2\n"
        b"1.0-java rake:>= 3|checksum:3\n"
        b"2.0.rc1-java jar:~> 1|checksum:4\n"
        b"2.0.rc1-x86_64-linux-gnu ffi:~> 1.9,jar:~> 2|checksum:5\n"
    )
    releases = parse_info(body, REF, URL)
    assert [(release.number, list(release.builds)) for release in releases.values()] == [
        ("1.0", ["x86-mswin32-60", "ruby", "java"]),
        ("2.0.rc1", ["java", "x86_64-linux-gnu"]),
    ]
    assert requirements_of(body, "1.0") == {"pkg:gem/rake": ">= 2"}
    assert requirements_of(body, "2.0.rc1") == {
        "pkg:gem/jar": ">= 1, < 3",
        "pkg:gem/ffi": "~> 1.9",
    }


def test_what_stands_before_the_dashes_is_opaque() -> None:
    """The guide says that this text "should be considered opaque"."""
    assert list(parse_info(b"created_at: x\n1.0 a:= 1|\n---\n2.0 |\n", REF, URL)) == ["2.0"]


def test_dates_of_the_index_are_those_of_the_first_build() -> None:
    """The newer format has ``created_at``; an invalid date is unknown."""
    body = (
        b"---\n"
        b"1.0 |checksum:1,created_at:2026-06-11T12:34:56Z\n"
        b"1.0-java |checksum:2,created_at:2026-06-10T01:00:00+02:00\n"
        b"2.0 |checksum:3,created_at:yesterday\n"
        b"3.0 |checksum:4,created_at:2026-06-11T12:34:56\n"
        b"4.0 |checksum:5,created_at:0001-01-01T00:00:00+14:00\n"
        b"5.0 |checksum:6\n"
    )
    dates = {name: release.release_date for name, release in parse_info(body, REF, URL).items()}
    assert dates == {
        "1.0": datetime(2026, 6, 9, 23, tzinfo=UTC),
        "2.0": None,
        "3.0": datetime(2026, 6, 11, 12, 34, 56, tzinfo=UTC),
        "4.0": None,
        "5.0": None,
    }


def test_unreadable_line_costs_that_line_alone() -> None:
    """An unreadable line is skipped with one warning; the others stay."""
    body = b"---\n1.0 |a:1\n1.0|a:1\n v |\n1_0 |a:1\n\xff\xfe\n-1.0 |\n\r\n2.0 |a:1\r\n"
    with capture_logs() as logs:
        assert list(parse_info(body, REF, URL)) == ["1.0", "2.0"]
    assert [(log["event"], log["count"]) for log in logs] == [("index_lines_skipped", 5)]


def test_requirement_that_cannot_be_a_gem_is_left_out_and_told() -> None:
    """An impossible name is skipped with a warning; the others stay."""
    body = b"---\n1 ../x:>= 1,a b:>= 1,c:>= 1|a:1\n2 ../x:>= 1|a:1\n"
    with capture_logs() as logs:
        assert requirements_of(body, "1") == {"pkg:gem/c": ">= 1"}
    assert [(log["event"], log["requirements"]) for log in logs] == [
        ("requirements_skipped", ["../x", "a b"])
    ]


@pytest.mark.parametrize(
    "body",
    [
        b"", b"\n", b"1.0 |checksum:1\n", b"<html>\n<body>---</body></html>", b"{}", b"\xff\xfe",
        b"This rubygem could not be found.", b"---\nnonsense\n", b"---\n<html>\n", b"--- \n1.0 |\n",
        b"---\n" + b"1" * 201 + b" |\n",
    ],
)  # fmt: skip
def test_what_is_no_index_file_is_malformed(body: bytes) -> None:
    """Error pages, truncation and an empty body are never "no versions"."""
    with pytest.raises(MalformedMetadata) as problem:
        parse_info(body, REF, URL)
    assert problem.value.url == URL
    assert len(str(problem.value)) < 300


def test_gem_without_versions_has_none() -> None:
    """All may be yanked: "It will only be excluded from the file" (guide)."""
    assert parse_info(b"---\n", REF, URL) == {}


@given(st.binary(max_size=60) | st.text("|:,&-. 01a=>~\n", max_size=60).map(str.encode))
def test_any_bytes_are_read_or_malformed(body: bytes) -> None:
    """Every file is read or raises the typed error, and all constraints can be evaluated."""
    releases = parse_info(b"---\n1.0 |a:1\n" + body, REF, URL)
    reader = RequirementReader("demo")
    for release in releases.values():
        for requirement in reader.read(release).found:
            selected(requirement.constraints, ["1.0"])


# The API --------------------------------------------------------------------------------


def test_dates_and_links_of_the_api() -> None:
    """The date is the first build's; the metadata of the pure Ruby build comes first."""
    builds = parse_releases(
        json.dumps(
            [
                {"number": "1.0", "platform": "java", "created_at": "2020-01-02T00:00:00.000Z",
                 "metadata": {"source_code_uri": "https://github.com/a/java"}},
                {"number": "1.0", "platform": "ruby", "created_at": "2020-01-03T01:00:00+02:00",
                 "metadata": {"source_code_uri": "https://github.com/a/ruby/tree/v1.0/x"}},
                {"number": "0.9", "created_at": "2019-01-01T00:00:00Z", "metadata": None},
                {"number": "0.8", "created_at": "2018-01-01T00:00:00Z", "metadata": {
                    "source_code_uri": ["?"], "homepage_uri": "https://github.com/a/home"}},
            ]
        ).encode(),
        URL,
    )  # fmt: skip
    assert release_dates(builds) == {
        "1.0": datetime(2020, 1, 2, tzinfo=UTC),
        "0.9": datetime(2019, 1, 1, tzinfo=UTC),
        "0.8": datetime(2018, 1, 1, tzinfo=UTC),
    }
    links = {
        v: clean_repository_url(links_of(builds, VersionName(v))) for v in ("1.0", "0.9", "0.8")
    }
    assert links == {
        "1.0": "https://github.com/a/ruby",
        "0.9": "n/a",
        "0.8": "https://github.com/a/home",
    }


def test_links_of_a_gem_are_tried_in_turn() -> None:
    """The source comes first, then the home page, then the bug tracker; only texts count."""
    fields = {"source_code_uri": 5, "homepage_uri": "https://example.org",
              "bug_tracker_uri": "https://github.com/a/b/issues"}  # fmt: skip
    gem = parse_gem(json.dumps({"name": "demo", **fields}).encode(), "demo", URL)
    assert clean_repository_url(gem.addresses()) == "https://github.com/a/b"


@pytest.mark.parametrize(
    "body",
    [b"", b"null", b"{}", b"[1]", b"<html>", b"[" * 100_000,
     b'[{"number": 1, "created_at": "2020-01-01T00:00:00Z"}]'],
)  # fmt: skip
def test_what_is_no_list_of_versions_is_malformed(body: bytes) -> None:
    """The error names wrong types and missing keys."""
    with pytest.raises(MalformedMetadata) as problem:
        parse_releases(body, URL)
    assert len(str(problem.value)) < 300


@pytest.mark.parametrize("moment", ["yesterday", "0001-01-01T00:00:00+01:00", None, 5])
def test_version_without_a_date_has_none(moment: Any) -> None:
    """The other versions have dates; an entry that is no version is skipped."""
    good = {"number": "2", "created_at": "2020-01-01T00:00:00"}
    body = json.dumps([1, None, {"number": "1", "created_at": moment}, good]).encode()
    assert release_dates(parse_releases(body, URL)) == {"2": datetime(2020, 1, 1, tzinfo=UTC)}


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"name": 1}', b'{"name": "Demo"}'])
def test_what_is_no_document_of_the_gem_is_malformed(body: bytes) -> None:
    """A document of another gem is malformed, too; names that differ in case are different gems."""
    with pytest.raises(MalformedMetadata):
        parse_gem(body, "demo", URL)


# Recorded answers -----------------------------------------------------------------------

FOLDER = "dependabot__dependabot-core/bundler/spec/fixtures/rubygems_responses"

FACTS = [
    # file, versions after folding (tail -n +2 | cut -d' ' -f1 | sed 's/-.*//' | sort -u), the
    # highest stable one, and the requirements in one version's lines, by the guide's format
    ("info-faraday", 83, "1.0.1", "0.17.3", {"multipart-post": ">= 1.2, < 3"}),
    ("info-sqlite3", 26, "1.4.2", "1.3.13", {}),
    ("info-ZenTest", 60, "4.12.0", "4.11.1", {}),
    ("info-i18n", 65, "1.8.3", "1.8.3", {"concurrent-ruby": "~> 1.0"}),
    # only Windows and Java builds, so the union: none
    ("info-ffi", 101, "1.13.1", "1.11.0", {}),
    # the pure Ruby build has no ffi, which those for Windows require
    ("info-rest-client", 62, "2.1.0", "2.1.0", {
        "http-accept": ">= 1.7.0, < 2.0", "http-cookie": ">= 1.0.2, < 2.0",
        "mime-types": ">= 1.16, < 4.0", "netrc": "~> 0.8"}),
    ("info-concurrent-ruby", 62, "1.1.6", "0.8.0", {"ref": ">= 1.0.5, < 2"}),
    ("info-unf", 10, "0.1.4", "0.1.4", {"unf_ext": "any"}),
    ("info-dummy-pkg-a", 5, "2.0.0", "2.1.0.rc1", {}),
    ("mime-types-data", 9, "3.2020.0512", "3.2015.1120", {}),
]  # fmt: skip


@pytest.mark.recordings
@pytest.mark.parametrize(("file", "count", "latest", "version", "requirements"), FACTS)
def test_recorded_facts(  # noqa: PLR0917
    recordings: Path,
    file: str,
    count: int,
    latest: str,
    version: str,
    requirements: dict[str, str],
) -> None:
    """What was found in the recorded files by hand."""
    body = (recordings / FOLDER / file).read_bytes()
    releases = parse_info(body, REF, URL)
    assert len(releases) == count
    stable = [name for name in releases if not RubyGems.is_prerelease(name)]
    assert RubyGems.order((name, None) for name in stable)[-1] == latest
    found = requirements_of(body, version)
    assert found == {f"pkg:gem/{name}": text for name, text in requirements.items()}


@pytest.mark.recordings
def test_recorded_index(recordings: Path) -> None:
    """Every line of every recorded file is read, and each constraint can be evaluated."""
    files = [*(recordings / FOLDER).glob("info-*"), recordings / FOLDER / "mime-types-data"]
    assert len(files) > 90
    for path in files:
        text = path.read_text()
        lines = text.splitlines()[1:]
        with capture_logs() as logs:
            releases = parse_info(path.read_bytes(), REF, path.as_uri())
            reader = RequirementReader(path.name)
            requirements = {r.number: reader.read(r).found for r in releases.values()}
            reader.report()
        assert not logs
        assert sum(len(release.builds) for release in releases.values()) == len(set(lines))
        assert list(releases) == list(
            dict.fromkeys(line.split()[0].split("-")[0] for line in lines)
        )
        for name, found in requirements.items():
            assert RubyGems.sort_key(name) is not None
            for requirement in found:
                selected(requirement.constraints, ["1.0"])


@pytest.mark.recordings
def test_recorded_documents_of_other_kinds_are_malformed(recordings: Path) -> None:
    """Marshalled Ruby, packed gemspecs, the API's JSON and its text for no gem are errors."""
    others = [p for p in (recordings / FOLDER).iterdir() if p.name.startswith("dependencies-")]
    others += (recordings / FOLDER).glob("*.rz")
    others += (recordings / FOLDER).glob("*.json")
    others += (recordings / "_decoded").glob("*RubyGems_GetVersions_NotFound/*")
    assert len(others) == 3 + 4 + 10 + 1
    for path in others:
        with pytest.raises(MalformedMetadata):
            parse_info(path.read_bytes(), REF, path.as_uri())


@pytest.mark.recordings
def test_recorded_versions(recordings: Path) -> None:
    """The dates are those of RubyGems.org's own responses, and so is the only repository."""
    folder = recordings / FOLDER
    dates = {}
    for path in folder.glob("versions-*.json"):
        builds = parse_releases(path.read_bytes(), path.as_uri())
        assert {b.number for b in builds} == {b["number"] for b in json.loads(path.read_text())}
        dates[path.stem] = release_dates(builds)
    assert len(dates) == 9
    business = VersionName("1.13.0")
    assert dates["versions-business"][business] == datetime(2018, 4, 17, 12, 27, 38, 160000, UTC)
    bundler = parse_releases((folder / "versions-bundler.json").read_bytes(), URL)
    repository = clean_repository_url(links_of(bundler, VersionName("1.16.3")))
    assert repository == "https://github.com/bundler/bundler"


@pytest.mark.recordings
def test_recorded_gem(recordings: Path) -> None:
    """The source's address wins over the home page's."""
    body = (recordings / FOLDER / "api_changelog_uri.json").read_bytes()
    gem = parse_gem(body, "activerecord", URL)
    assert clean_repository_url(gem.addresses()) == "https://github.com/rails/rails"
