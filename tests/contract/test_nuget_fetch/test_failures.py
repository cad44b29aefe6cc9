"""Missing or broken documents: a package, its registration, its nuspec."""

from typing import Any

import pytest
from structlog.testing import capture_logs

from ssc_ingest.ecosystems.base import FetchRequest
from ssc_ingest.ecosystems.nuget import NuGet
from ssc_ingest.ecosystems.nuget.fetch import MAX_NUSPEC
from ssc_ingest.errors import MalformedMetadata, PackageNotFound, RateLimited
from tests.contract.fetching import read
from tests.contract.loopback import Loopback, packed
from tests.contract.test_nuget_fetch.documents import INDEX, NUSPEC, index, inlined, leaf

ZIPPED = {"Content-Encoding": "gzip"}


@pytest.mark.parametrize("pages", [[], [inlined()]])
async def test_package_without_versions_is_not_found(
    nuget: NuGet, registry: Loopback, pages: list[dict[str, Any]]
) -> None:
    """A package without versions cannot be installed."""
    registry.serve(INDEX, index(*pages))
    with pytest.raises(PackageNotFound):
        await nuget.fetch(FetchRequest(nuget.ref("Demo.Core")))


@pytest.mark.parametrize(
    "body",
    ['{"items": {"a": 1}}', '{"count": 0}', index(inlined(leaf("1.0", id="Other")))],
    ids=["wrong-types", "missing-keys", "another"],
)
async def test_registration_that_is_none_is_malformed(
    nuget: NuGet, registry: Loopback, body: str
) -> None:
    """JSON of another form or package is an error."""
    registry.serve(INDEX, body)
    with pytest.raises(MalformedMetadata):
        await nuget.fetch(FetchRequest(nuget.ref("Demo.Core")))


@pytest.mark.parametrize(
    ("answer", "is_known"),
    [
        ({"body": "", "status": 404}, True),
        ({"body": ""}, True),
        ({"body": "<!DOCTYPE html><html>", "media_type": "text/html"}, True),
        ({"body": "<package>"}, True),
        ({"body": packed(MAX_NUSPEC // 2**20 + 1), "headers": ZIPPED}, True),
        ({"body": "", "status": 500}, False),
        ({"body": "<package>", "promised": 100}, False),
    ],
    ids=["gone", "empty", "html", "broken", "bomb", "error", "truncated"],
)
async def test_package_is_taken_without_what_the_nuspec_cannot_tell(
    nuget: NuGet,
    registry: Loopback,
    answer: dict[str, Any],
    is_known: bool,  # noqa: FBT001
) -> None:
    """After a permanent failure the project's URL is used, otherwise the graph's links stay."""
    registry.serve(INDEX, index(inlined(leaf("2.0.0-RC", projectUrl="https://github.com/p/q"))))
    registry.serve(NUSPEC, **answer)
    with capture_logs() as logs:
        package = (await read(nuget, "Demo.Core")).package
    assert [log["event"] for log in logs] == ["repository_unknown"]
    expected = ("p", "https://github.com/p/q") if is_known else (None, None)
    assert (package.vendor, package.repository_url) == expected


async def test_waiting_for_the_nuspec_is_no_failure(nuget: NuGet, registry: Loopback) -> None:
    """The fetch waits for the nuspec, or packages would lack a repository after a busy hour."""
    path = NUSPEC.replace("2.0.0-rc", "1.0.0")
    registry.serve(path, "", status=429, headers={"Retry-After": "7"})
    with pytest.raises(RateLimited):
        await nuget.fetch(FetchRequest(nuget.ref("Demo.Core")))
