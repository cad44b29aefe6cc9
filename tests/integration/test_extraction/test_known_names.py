"""Import names that are known stay known: no reading of a package replaces them by a guess."""

from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import pytest

from ssc_ingest.extraction.extract import Attempt
from ssc_ingest.resources import Resources
from ssc_ingest.servers import Servers
from ssc_ingest.settings import Settings
from ssc_ingest.work.arguments import ExtractPackage
from tests.conftest import Cypher
from tests.integration.scripted import resources_with
from tests.integration.test_extraction.naming import Named, Names


@pytest.fixture
def names() -> Names:
    """What the registry knows."""
    return Names()


@pytest.fixture
async def resources(
    clean_redis: None, clean_graph: None, settings: Settings, servers: Servers, names: Names
) -> AsyncIterator[Resources]:
    """Real empty stores, and the scripted registry."""
    async with resources_with(partial(Named, names=names), settings, servers) as resources:
        yield resources


async def extract(resources: Resources) -> None:
    """Read the package again, whatever the graph has."""
    arguments = ExtractPackage(ecosystem="pypi", name="web-kit", refresh=True)
    await resources.extractor().extract(arguments, Attempt(urgent=True, requested=True))


def stored(cypher: Cypher) -> dict[str, Any]:
    """The names in the graph, and the version that they are from."""
    (row,) = cypher(
        "MATCH (p:PyPIPackage {purl: 'pkg:pypi/web-kit'}) "
        "RETURN p.import_names AS names, p.import_names_from AS version"
    )
    return row


async def test_a_package_without_known_names_has_a_guess(
    resources: Resources, cypher: Cypher
) -> None:
    """The guess says that it is one: it is from no version."""
    await extract(resources)

    assert stored(cypher) == {"names": ["web_kit"], "version": None}


async def test_a_guess_does_not_replace_the_names_of_a_migrated_graph(
    resources: Resources, cypher: Cypher
) -> None:
    """The reference implementation did not store the version that it read them from."""
    cypher(
        "CREATE (:PyPIPackage {purl: 'pkg:pypi/web-kit', name: 'web-kit', vendor: 'n/a', "
        "repository_url: 'n/a', import_names: ['kit', 'kit.web'], "
        "moment: localdatetime('2020-01-01')})-[:HAVE]->(:Version {name: '1', "
        "purl: 'pkg:pypi/web-kit@1', serial_number: 0})"
    )

    await extract(resources)

    assert stored(cypher) == {"names": ["kit", "kit.web"], "version": None}


async def test_a_guess_does_not_replace_names_that_were_read_earlier(
    resources: Resources, cypher: Cypher, names: Names
) -> None:
    """A later document without names leaves those of the earlier version."""
    names.document = ("kit", "kit.web")
    await extract(resources)
    assert stored(cypher) == {"names": ["kit", "kit.web"], "version": "1"}

    names.versions, names.document = ("1", "2"), ()
    await extract(resources)

    assert stored(cypher) == {"names": ["kit", "kit.web"], "version": "1"}


async def test_names_in_the_document_replace_a_guess_and_older_names(
    resources: Resources, cypher: Cypher, names: Names
) -> None:
    """Names in the document are written with the package, as those of its latest version."""
    await extract(resources)
    names.document = ("kit",)
    await extract(resources)
    assert stored(cypher) == {"names": ["kit"], "version": "1"}

    names.versions, names.document = ("1", "2"), ("kit.next",)
    await extract(resources)

    assert stored(cypher) == {"names": ["kit.next"], "version": "2"}


async def test_a_stub_gets_its_guess_when_it_is_read(resources: Resources, cypher: Cypher) -> None:
    """A stub has an empty list of names."""
    cypher(
        "CREATE (:PyPIPackage {purl: 'pkg:pypi/web-kit', name: 'web-kit', import_names: [], "
        "vendor: 'n/a', repository_url: 'n/a'})"
    )

    await extract(resources)

    assert stored(cypher) == {"names": ["web_kit"], "version": None}
