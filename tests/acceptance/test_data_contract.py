"""The graph of a fleet fulfils the contract with the graph's readers."""

from typing import Any

import pytest
from univers import version_range as ranges

from ssc_ingest.ecosystems import ecosystem, ecosystems
from ssc_ingest.graph.audits import audit, questions
from ssc_ingest.graph.driver import open_driver
from ssc_ingest.models import ANY_VERSION
from ssc_ingest.resources import State
from ssc_ingest.servers import Servers
from ssc_ingest.settings import Settings
from tests.acceptance.fleet import Fleet, eventually
from tests.acceptance.work import unacknowledged
from tests.conftest import Cypher
from tests.graph_truth import assert_graph_holds, snapshot
from tests.simulator.client import Simulator
from tests.simulator.truth import PackageTruth

READERS: dict[str, Any] = {
    "pypi": ranges.PypiVersionRange,
    "npm": ranges.NpmVersionRange,
    "maven": ranges.MavenVersionRange,
    "cargo": ranges.NpmVersionRange,
    "rubygems": ranges.GemVersionRange,
    "nuget": ranges.NugetVersionRange,
}
"""How the services evaluate ``constraints``."""

KEPT_WHEN_WITHDRAWN = ("pypi", "cargo", "nuget")
"""Registries that go on listing such versions."""

WANTED = ("prerelease", "many-versions", "requirements")

CREATE_FILE = """
CREATE (f:RequirementFile {name: 'requirements', manager: $manager, moment: localdatetime()})
RETURN elementId(f) AS id, f.moment AS moment
"""

REQUIRED = """
MATCH (:Version)-[r:REQUIRE]->(p)-[:HAVE]->(v:Version)
WITH r.constraints AS constraints, p.purl AS purl, collect(DISTINCT v.name) AS versions
RETURN constraints, purl, versions
"""


def choose(simulator: Simulator, name: str) -> PackageTruth:
    """A package with prereleases, at least 50 versions, requirements, and yanked versions."""
    traits = (*WANTED, "yanked") if name in KEPT_WHEN_WITHDRAWN else WANTED
    package = simulator.packages(name, 1, start=300, traits=traits)[0]
    return simulator.truth(name, package.name)


@pytest.fixture(scope="module")
def simulated() -> Any:
    """Registries with realistic numbers of versions: few for most packages, hundreds for some."""
    with Simulator.start(packages=1500, requirements="1-4") as simulator:
        yield simulator


@pytest.mark.parametrize("name", READERS)
async def test_a_file_its_package_and_all_requirements(
    shared_fleet: Fleet,
    simulator: Simulator,
    state: State,
    cypher: Cypher,
    *,
    settings: Settings,
    servers: Servers,
    name: str,
) -> None:
    """Acceptance rules 2, 3, 4, 6, 8 and 9, for a package that a requirement file requests."""
    truth = choose(simulator, name)
    manager = ecosystem(name).identity.label.removesuffix("Package")
    file = cypher(CREATE_FILE, manager=manager)[0]
    arguments = {
        "ecosystem": name,
        "name": truth.registry_name,
        "dependencies": "latest",
        "parent_id": file["id"],
        "constraints": "== 1.2.3",
    }
    await extract(shared_fleet, state, **arguments)
    closure = simulator.closure(name, truth.registry_name, "latest")
    read = cypher("MATCH (p) WHERE p.moment IS NOT NULL AND p.purl IS NOT NULL RETURN p.purl AS p")
    direct = {purl for version in truth.versions for purl in version.requirements}
    assert {row["p"] for row in read} == closure | direct
    assert_graph_holds(cypher, truth)

    edges = cypher("MATCH (:RequirementFile)-[r:REQUIRE]->(p) RETURN r{.*} AS r, p.purl AS purl")
    assert edges == [{"r": {"constraints": "== 1.2.3"}, "purl": truth.purl}]
    assert cypher("MATCH (f:RequirementFile) RETURN f.moment AS m")[0]["m"] == file["moment"]

    before = snapshot(cypher)
    await extract(shared_fleet, state, **arguments)
    await extract(shared_fleet, state, **arguments, refresh=True)
    assert snapshot(cypher) == before

    assert_constraints_are_understood(cypher, READERS[name])
    labels = [cls.identity.label for cls in ecosystems().values()]
    async with open_driver(servers, settings) as driver:
        for subject, statement in questions(labels):
            finding = await audit(driver, subject, statement, timeout=30)
            assert finding.found == 0, finding


def assert_constraints_are_understood(cypher: Cypher, reader: Any) -> None:
    """Check that each can be parsed, and selects a version if one matches."""
    rows = cypher(REQUIRED)
    assert len(rows) > 5
    selecting = 0
    for row in rows:
        if row["constraints"] == ANY_VERSION:
            continue
        accepted = reader.from_native(row["constraints"])
        selecting += any(
            reader.version_class(version) in accepted
            for version in row["versions"]
            if reader.version_class.is_valid(version)
        )
    assert selecting > 0


async def extract(fleet: Fleet, state: State, **arguments: Any) -> None:
    """Send a task like another program, and wait until its job is finished."""
    job_id = fleet.send(**arguments)

    async def is_finished() -> bool:
        job = await state.jobs.get(job_id)
        assert job is None or not job.failed, job
        if job is None or not job.finished or job.filling:
            return False
        return await unacknowledged(state) == 0

    await eventually(is_finished)
