"""Conversion of link fields to repository addresses and vendors."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssc_ingest.ecosystems.repository_urls import (
    clean_repository_url,
    expand_shorthand,
    vendor_of,
)

REPOSITORY = "https://github.com/owner/repo"


@pytest.mark.parametrize(
    "text",
    [
        "https://github.com/owner/repo",
        "http://github.com/owner/repo/",
        "https://www.github.com/owner/repo.git",
        "HTTPS://GitHub.com/owner/repo",
        "git+https://github.com/owner/repo.git",
        "git+ssh://git@github.com/owner/repo.git",
        "git+ssh://git@github.com:owner/repo.git",
        "ssh://git@github.com/owner/repo",
        "ssh://git@github.com:22/owner/repo",
        "git://github.com/owner/repo.git#main",
        "git@github.com:owner/repo.git",
        "github.com/owner/repo",
        "  https://github.com/owner/repo?tab=readme#usage ",
        "https://github.com//owner//repo",
        "https://github.com/owner/repo/issues",
        "https://github.com/owner/repo/tree/main/packages/core",
        "https://user:secret@github.com/owner/repo",
    ],
)
def test_every_spelling_becomes_one_address(text: str) -> None:
    """All spellings of an address give the same result, without credentials."""
    assert clean_repository_url([text]) == REPOSITORY


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://gitlab.com/group/project/-/issues", "https://gitlab.com/group/project"),
        ("https://bitbucket.org/team/repo/src", "https://bitbucket.org/team/repo"),
        ("https://Git.Example.ORG:8443/team/repo.git", "https://git.example.org:8443/team/repo"),
        ("http://git.example.org/team/repo", "http://git.example.org/team/repo"),
        ("ssh://git@git.example.org:2222/team/repo", "https://git.example.org/team/repo"),
        ("git@git.example.org:team/repo.git", "https://git.example.org/team/repo"),
        ("https://git.sr.ht/~owner/repo", "https://git.sr.ht/~owner/repo"),
        ("https://code.example.org/team/Repo.js", "https://code.example.org/team/Repo.js"),
        ("https://gitlab.gnome.org/GNOME/pygobject", "https://gitlab.gnome.org/GNOME/pygobject"),
        ("https://example.org/team/repo.git", "https://example.org/team/repo"),
        ("git+http://example.org/team/repo", "http://example.org/team/repo"),
        ("git@example.org:team/repo", "https://example.org/team/repo"),
        ("https://www.codeberg.org/team/repo", "https://codeberg.org/team/repo"),
    ],
)
def test_other_hosts(text: str, expected: str) -> None:
    """Any host can have a repository; a web port is kept."""
    assert clean_repository_url([text]) == expected


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "   ",
        "n/a",
        "UNKNOWN",
        "https://github.com",
        "https://github.com/owner",
        "https://github.com/owner/",
        "https://github.com/orgs/owner/repositories",
        "https://github.com/sponsors/owner",
        "https://github.com/owner/..",
        "https://github.com/../repo",
        "https://github.com/owner/.git",
        "https://github.com/own er/repo",
        "https://github.com/owner/re\x00po",
        "https://github.com/owner/re\npo",
        "https://example.org",
        "http://www.example.org/software/package",
        "https://pypi.org/project/package/",
        "https://code.example.org/",
        "https://package.readthedocs.io/en/latest/",
        "https://docs.example.org/en/stable",
        "https://owner.github.io/repo/manual",
        "example.org/owner/repo",
        "https://[::1/owner/repo",
        "mailto:owner@example.org",
        "file:///etc/passwd/x",
        "see the README/for more",
        "https://github.com/owner/" + "r" * 1000,
    ],
)
def test_what_is_no_repository(text: str | None) -> None:
    """Home pages, documentation, prose and nonsense are rejected."""
    assert clean_repository_url([text]) == "n/a"


def test_the_first_usable_candidate_wins() -> None:
    """Candidates are tried in order; similar pages are skipped."""
    first, second = "https://github.com/a/first", "https://github.com/b/second"
    assert clean_repository_url([None, "n/a", first, second]) == first
    assert clean_repository_url(["https://example.org/products/first", second]) == second
    assert clean_repository_url([]) == "n/a"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://github.com/Owner/repo", "Owner"),
        ("https://gitlab.com/group/repo", "group"),
        ("https://bitbucket.org/team/repo", "team"),
        ("https://git.example.org/team/repo", "n/a"),
        ("n/a", "n/a"),
    ],
)
def test_vendor(url: str, expected: str) -> None:
    """The vendor is the owner on the three large hosts, otherwise unknown."""
    assert vendor_of(url) == expected
    assert vendor_of(url, "@scope") == ("@scope" if expected == "n/a" else expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("owner/repo", REPOSITORY),
        ("github:owner/repo", REPOSITORY),
        ("github:owner/repo.git#v1", REPOSITORY),
        ("gitlab:owner/repo", "https://gitlab.com/owner/repo"),
        ("bitbucket:owner/repo", "https://bitbucket.org/owner/repo"),
        ("gist:11081aaa281", "n/a"),
        ("https://github.com/owner/repo", REPOSITORY),
        ("git@github.com:owner/repo.git", REPOSITORY),
    ],
)
def test_shorthand(text: str, expected: str) -> None:
    """Short forms are expanded; full addresses stay."""
    assert clean_repository_url([expand_shorthand(text)]) == expected


@given(
    st.lists(
        st.none()
        | st.text(max_size=60)
        | st.from_regex(r"(git\+)?(https?|ssh)://(git@)?github\.com[/:].{0,30}", fullmatch=True),
        max_size=4,
    )
)
def test_any_text_gives_an_address_or_nothing(candidates: list[str | None]) -> None:
    """The result is ``n/a`` or an address of host, owner, repository."""
    url = clean_repository_url(candidates)
    assert url == "n/a" or re.fullmatch(r"https?://[\w.-]+(:\d+)?/[\w.~%+-]+/[\w.~%+-]+", url)
    assert vendor_of(url)


@pytest.mark.parametrize(
    "address",
    [
        "https://gitbox.apache.org/repos/asf?p=commons-io.git",
        "https://gitbox.apache.org/repos/asf?p=commons-io.git;a=summary",
        "https://gitbox.apache.org/repos/asf/?p=commons-io.git;a=tree;f=src",
        "https://gitbox.apache.org/repos/asf/commons-io.git",
    ],
)
def test_addresses_of_gitweb(address: str) -> None:
    """The repository is a parameter there; projects of one host stay separate."""
    assert clean_repository_url([address]) == "https://gitbox.apache.org/repos/asf/commons-io"
