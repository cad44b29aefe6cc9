"""The model of docs/scaling.md: its inputs are the program's, and its tables are on the page."""

import re
from pathlib import Path

import pytest

from benchmarks.scaling import NAMES, PACKAGES, REQUESTS, plan, tables
from ssc_ingest.ecosystems import built_in

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/scaling.md").read_text()


@pytest.mark.parametrize("name", ["registries", "steps"])
def test_page_has_the_tables(name: str) -> None:
    """As `python -m benchmarks.scaling` prints them."""
    found = re.search(rf"<!-- {name}, [^\n]*-->\n(.*?)\n<!-- end -->", PAGE, re.DOTALL)
    assert found
    assert found[1] == tables()[name]


@pytest.mark.parametrize("cls", built_in(), ids=lambda cls: cls.identity.name)
def test_inputs_are_those_of_the_ecosystems(cls: type) -> None:
    """Requests, endpoints and numbers of packages are those of the code and the docs."""
    identity, cost = cls.identity, cls.requests_per_package  # type: ignore[attr-defined]
    assert sum(REQUESTS[identity.name].values()) == pytest.approx(cost)
    keys = {endpoint.key for endpoint in identity.endpoints}
    assert {*REQUESTS[identity.name], *NAMES[identity.name]} <= keys
    operations = (ROOT / "docs/operations.md").read_text()
    assert re.search(
        rf"^\| {identity.title} \| [\d,]+ \| {PACKAGES[identity.name]:,} \|",
        operations,
        re.MULTILINE,
    )


def test_the_slowest_part_determines_the_duration() -> None:
    """Registries are read at the same time; workers and the graph serve all of them."""
    alone = plan(workers=1)
    assert alone.hours == max(part.hours_by_rate for part in alone.parts)
    assert "repo1.maven.org" in alone.limit
    assert plan(workers=50).hours == alone.hours
    free = plan(workers=1, mirrors=tuple(PACKAGES))
    assert free.limit == "workers"
    assert plan(workers=2, mirrors=tuple(PACKAGES)).hours == pytest.approx(free.hours / 2)
    assert plan(workers=50, mirrors=tuple(PACKAGES)).limit == "graph"


def test_import_names_cost_requests() -> None:
    """Import names cost requests on the hosts of the files, and CPU time."""
    without, with_names = plan(workers=1), plan(workers=1, names=True)
    for before, after in zip(without.parts, with_names.parts, strict=True):
        assert after.requests > before.requests
        assert after.hours_by_rate >= before.hours_by_rate
    assert with_names.core_hours > without.core_hours
