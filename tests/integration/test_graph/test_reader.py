"""The reads of extraction and runs."""

from datetime import timedelta

import pytest

from ssc_ingest.graph.reader import GraphReader, PackageState
from ssc_ingest.graph.writer import GraphWriter
from ssc_ingest.models import ANY_VERSION, Purl
from tests.integration.test_graph.packages import FETCHED, LABELS, order, package, ref

WEB = {
    "1.0": {"ancient": ANY_VERSION, "core": ">= 1"},
    "2.0": {"core": ">= 2", "extras": ANY_VERSION},
    "2.1rc1": {"core": ">= 2", "novel": ANY_VERSION},
}


async def test_an_unknown_package_has_no_state(reader: GraphReader, writer: GraphWriter) -> None:
    """A package that is not in the graph is ``None``."""
    assert await reader.package_state(ref("unheard-of")) is None


async def test_a_stub_has_an_empty_state(reader: GraphReader, writer: GraphWriter) -> None:
    """A package that is only required has no moment and no versions."""
    await writer.write(package("web", WEB), order=order)

    state = await reader.package_state(ref("core"))

    assert state == PackageState(moment=None, etag=None, latest=None, known=frozenset())
    assert state.is_stub


async def test_a_read_package_tells_moment_validator_and_versions(
    reader: GraphReader, writer: GraphWriter
) -> None:
    """Versions with unread requirements are not among the known ones."""
    fetched = FETCHED + timedelta(microseconds=123456)
    await writer.write(
        package("web", WEB | {"3.0": None}, etag='W/"7"', latest="2.0", fetched_at=fetched),
        order=order,
    )

    state = await reader.package_state(ref("web"))

    assert state
    assert (state.moment, state.etag, state.latest) == (fetched, 'W/"7"', "2.0")
    assert state.known == {"1.0", "2.0", "2.1rc1"}
    assert not state.is_stub


async def test_requirements_of_all_versions_newest_first(
    reader: GraphReader, writer: GraphWriter
) -> None:
    """Each package once; those of the newest versions come first."""
    await writer.write(package("web", WEB, latest="2.0"), order=order)
    await writer.write(package("Extras", ["1.0"]), order=order)
    await writer.write(package("novel", ["1.0"]), order=order)

    found = await reader.requirements(ref("web"))

    assert [(r.name, r.is_stub) for r in found] == [
        ("core", True),
        ("novel", False),
        ("extras", True),
        ("ancient", True),
    ]
    assert {r.label for r in found} == {"PyPIPackage"}
    assert found[0].purl == "pkg:pypi/core"


async def test_requirements_of_the_latest_version(reader: GraphReader, writer: GraphWriter) -> None:
    """The packages of an install; none for a package that was never read."""
    await writer.write(package("web", WEB, latest="2.0"), order=order)

    found = await reader.installable("PyPIPackage", ref("web").purl)
    assert found
    assert [r.name for r in found.requirements] == ["core", "extras"]
    assert await reader.installable("PyPIPackage", ref("core").purl) is None
    assert await reader.requirements(ref("unheard-of")) == []


async def test_a_stub_keeps_the_spelling_of_its_requirement(
    reader: GraphReader, writer: GraphWriter
) -> None:
    """Requests to the registry use the required name."""
    await writer.write(package("web", {"1.0": {"Django": ANY_VERSION}}), order=order)

    (found,) = await reader.requirements(ref("web"))

    assert (found.name, found.registry_name) == ("django", "Django")


@pytest.mark.parametrize("label", LABELS.values())
async def test_unread_are_stubs_and_strangers(
    reader: GraphReader, writer: GraphWriter, label: str
) -> None:
    """The reader returns the purls that an ingestion must still read."""
    ecosystem = next(name for name, value in LABELS.items() if value == label)
    await writer.write(package("web", {"1.0": {"core": "any"}}, ecosystem=ecosystem), order=order)
    purls = [Purl(f"pkg:{ecosystem}/{name}") for name in ("web", "core", "unheard-of")]

    assert await reader.unread(label, purls) == set(purls[1:])
    assert await reader.unread(label, []) == set()
