"""Automatic repairs with real workers: lost entries of a feed, stubs of requirement files."""

from ssc_ingest.resources import State
from tests.acceptance.fleet import Fleet, eventually
from tests.acceptance.work import in_graph
from tests.conftest import Cypher
from tests.simulator.client import Simulator

OLDER = """
MATCH (p {purl: $purl}) SET p.moment = p.moment - duration('P30D')
"""

LINKED = """
CREATE (:RequirementFile {name: 'package.json', manager: 'NPM', moment: localdatetime()})
       -[:REQUIRE {constraints: '^1'}]->(:NPMPackage {purl: $purl, name: $name})
"""


async def test_a_change_that_the_feed_has_lost(
    fleet: Fleet, simulator: Simulator, state: State, cypher: Cypher
) -> None:
    """A staleness run, which other commands show, reads the package when it is due."""
    fleet.start()
    (package,) = simulator.packages("nuget", 1, start=40)
    fleet.send(ecosystem="nuget", name=package.name, dependencies="none")
    await in_graph(cypher, package.purl)
    simulator.publish("nuget", package.name)
    simulator.drop_feed_entries("nuget")
    cypher(OLDER, purl=package.purl)

    fleet.send("staleness.sweep", ecosystem="nuget")

    async def is_healed() -> bool:
        runs = await state.runs.newest()
        return bool(runs) and all(run.ended for run in runs)

    await eventually(is_healed)
    (run,) = await state.runs.newest()
    assert (run.kind, run.state, run.error) == ("staleness", "finished", None)
    truth = simulator.truth("nuget", package.name)
    found = cypher("MATCH (p {purl: $p})-[:HAVE]->(v) RETURN v.name AS name", p=package.purl)
    assert {row["name"] for row in found} == {version.name for version in truth.versions}


async def test_a_stub_that_a_requirement_file_points_to(
    fleet: Fleet, simulator: Simulator, state: State, cypher: Cypher
) -> None:
    """The sweep submits it at once, with all requirements of its versions."""
    fleet.start()
    (package,) = simulator.packages("npm", 1, start=700, traits=("requirements",))
    cypher(LINKED, purl=package.purl, name=package.name)

    fleet.send("runs.sweep")

    closure = simulator.closure("npm", package.name, "all")
    assert len(closure) > 1
    for purl in closure:
        await in_graph(cypher, purl)
    (file,) = cypher(
        "MATCH (f:RequirementFile)-[e:REQUIRE]->(p) RETURN p.purl AS purl, e.constraints AS c"
    )
    assert file == {"purl": package.purl, "c": "^1"}
