"""A version that the catalog has announced, with an older registration."""

import json

import pytest

from ssc_ingest.ecosystems.base import FetchRequest, NotModified
from ssc_ingest.ecosystems.nuget import NuGet
from ssc_ingest.ecosystems.nuget.catalog import stamp_of
from ssc_ingest.errors import PackageNotFound, StaleAnswer
from ssc_ingest.models import now
from tests.contract.fetching import read
from tests.contract.loopback import Loopback
from tests.contract.test_nuget_fetch.documents import INDEX, index, inlined, leaf

COMMIT, AN_HOUR_AFTER, LATER = (
    f"2026-03-01T{hour}0000000" for hour in ("10:00:00.00", "11:00:00.00", "11:00:01.00")
)


@pytest.mark.parametrize("expected", ["2.0.0-rc", f"1.0.0.0+build {COMMIT}", None])
async def test_announced_version_is_there(nuget: NuGet, expected: str | None) -> None:
    """The announced version is found in any spelling of the catalog."""
    package = (await read(nuget, "Demo.Core", expected=expected)).package
    assert len(package.versions) == 3


@pytest.mark.parametrize(
    ("expected", "written", "is_stale"),
    [
        (f"3.0 {COMMIT}", COMMIT, True),
        (f"3.0 {COMMIT}", AN_HOUR_AFTER, True),
        (f"3.0 {COMMIT}", LATER, False),
        (f"3.0 {COMMIT}", None, True),
        (f"3.0 {COMMIT}", "yesterday", True),
        ("3.0", LATER, True),
    ],
)
async def test_a_registration_without_the_announced_version_is_stale(
    nuget: NuGet,
    registry: Loopback,
    expected: str,
    written: str | None,
    is_stale: bool,  # noqa: FBT001
) -> None:
    """If the registration is much newer, the version has been deleted."""
    document = json.loads(index(inlined(leaf("1.0.0"))))
    registry.serve(INDEX, json.dumps({**document, "commitTimeStamp": written}))
    if is_stale:
        with pytest.raises(StaleAnswer, match=r"does not list version 3\.0 yet"):
            await nuget.fetch(FetchRequest(nuget.ref("Demo.Core"), expected=expected))
    else:
        assert len((await read(nuget, "Demo.Core", expected=expected)).package.versions) == 1


async def test_not_modified_does_not_hide_that_the_version_is_missing(
    nuget: NuGet, registry: Loopback
) -> None:
    """A stale registration may have the graph's ETag."""
    package = (await read(nuget, "Demo.Core")).package
    known = [version.name for version in package.versions]
    ref, etag = package.ref, package.etag
    with pytest.raises(StaleAnswer):
        await nuget.fetch(FetchRequest(ref, known=known, etag=etag, expected=f"3.0 {COMMIT}"))
    found = await nuget.fetch(FetchRequest(ref, known=known, etag=etag, expected=f"1.5 {COMMIT}"))
    assert isinstance(found, NotModified)


@pytest.mark.parametrize("body", [None, index(inlined())], ids=["404", "empty"])
async def test_a_new_package_may_be_late(
    nuget: NuGet, registry: Loopback, body: str | None
) -> None:
    """Shortly after the announcement it is stale; much later it is gone."""
    if body:
        registry.serve(INDEX, json.dumps({**json.loads(body), "commitTimeStamp": stamp_of(now())}))
    else:
        del registry.answers[INDEX]
    ref = nuget.ref("Demo.Core")
    with pytest.raises(StaleAnswer):
        await nuget.fetch(FetchRequest(ref, expected=f"1.0.0 {stamp_of(now())}"))
    with pytest.raises(PackageNotFound):
        await nuget.fetch(FetchRequest(ref, expected=f"1.0.0 {COMMIT}"))
    with pytest.raises(PackageNotFound):
        await nuget.fetch(FetchRequest(ref))
