"""An ecosystem that the program does not contain, added by one file beside it.

The file is ``tests/toy/toy.py``. The program is not patched: its own command and workers run as
separate processes, which differ from an operator's only in their environment.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.fleet import LONG_ENOUGH, Fleet, wait_until
from tests.conftest import Cypher
from tests.toy.registry import ToyRegistry

PROGRAM = str(Path(sys.executable).with_name("ssc-ingest"))

QUEUES = ("toy.urgent", "toy.fresh", "toy.bulk")


class CommandLine:
    """The installed program, with the fleet's settings."""

    def __init__(self, fleet: Fleet, folder: Path) -> None:
        self._fleet, self._folder = fleet, folder

    def __call__(self, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
        """Run a command from nothing, as where the file is installed."""
        return subprocess.run(
            [PROGRAM, *arguments],
            env={**self._fleet.environment, **settings},
            cwd=self._folder,  # no .env there
            capture_output=True,
            text=True,
            timeout=LONG_ENOUGH,
            check=False,
        )

    def json(self, *arguments: str, returncode: int = 0) -> Any:
        """The JSON output of a command, in a fork, that ends with this code."""
        done = self._fleet.run(*arguments, "--json")
        assert done.returncode == returncode, done.stderr
        return json.loads(done.stdout)


@pytest.fixture
def run(fleet: Fleet, plugin: None, toys: ToyRegistry, tmp_path: Path) -> CommandLine:
    """The program with the file beside it; the registry has a few toys."""
    toys.put("wheel", {"1": {}, "2": {}})
    toys.put("string", {"1": {}})
    toys.put("kite", {"1": {"string": ">= 1"}})
    toys.put("truck", {"9": {"wheel": ">= 2", "string": "any"}, "1": {"wheel": ">= 1"}})
    return CommandLine(fleet, tmp_path)


def test_a_file_beside_the_program_is_an_ecosystem(
    run: CommandLine, fleet: Fleet, toys: ToyRegistry, cypher: Cypher
) -> None:
    """Queues, worker, graph, status, schedule and dead letters work as for built-in ones."""
    fleet.start()  # without queues: it reads all that there are
    job = run.json("extract", "pkg:toy/Truck", "pkg:toy/yo-yo", "--wait", returncode=1)
    assert job["roots"] == ["pkg:toy/truck", "pkg:toy/yo-yo"]
    assert job["seen"] == 4
    assert job["failed"].keys() == {"pkg:toy/yo-yo"}
    edges = cypher(
        "MATCH (:ToyPackage {name: 'truck'})-[:HAVE]->(v:Version)-[r:REQUIRE]->(p:ToyPackage) "
        "RETURN v.serial_number AS serial, p.purl AS purl, r.constraints AS constraints, "
        "p.moment IS NULL AS stub ORDER BY serial, purl"
    )
    assert edges == [
        {"serial": 0, "purl": "pkg:toy/wheel", "constraints": ">= 1", "stub": False},
        {"serial": 1, "purl": "pkg:toy/string", "constraints": "any", "stub": False},
        {"serial": 1, "purl": "pkg:toy/wheel", "constraints": ">= 2", "stub": False},
    ]
    constraints = cypher("SHOW CONSTRAINTS YIELD labelsOrTypes AS labels, properties")
    assert {"labels": ["ToyPackage"], "properties": ["purl"]} in constraints

    shown = run.json("show", "pkg:toy/truck@9")
    assert (shown["vendor"], shown["latest"]) == ("Lathe & Sons", "9")

    status = run.json("status", returncode=69)  # beat is absent
    assert {status["queues"][queue] for queue in QUEUES} == {0}
    assert set(QUEUES) <= set(status["workers"][0]["queues"])
    counts = status["graph"]["toy"]
    assert (counts["packages"], counts["stubs"]) == (3, 0)
    assert (counts["versions"], counts["requirements"]) == (5, 3)

    schedules = {each["name"]: each for each in run.json("schedules", "list")["schedules"]}
    assert schedules["toy_weekly_ingestion"]["arguments"] == {"ecosystem": "toy"}
    run.json("schedules", "run-now", "toy_daily_update")
    wait_until(
        lambda: (
            [(r["kind"], r["state"]) for r in run.json("runs", "list")] == [("update", "finished")]
        ),
        LONG_ENOUGH,
    )

    (letter,) = run.json("dead-letters", "list", "--ecosystem", "toy")
    assert letter["error_type"] == "PackageNotFound"

    checked = json.loads(run("check", "--json").stdout)
    (answer,) = [check for check in checked if check["subject"] == "Toys api"]
    assert answer["outcome"] == "ok"
    assert toys.url in answer["finding"]
    assert "all constraints and indexes exist" in {check["finding"] for check in checked}


def test_its_settings_and_its_names_are_known(run: CommandLine) -> None:
    """Errors in its address and names are explained; without the file it is unknown."""
    refused = run("check", "--json", TOY_API_RATE="0")
    assert refused.returncode == 78
    assert "TOY_API_RATE" in refused.stderr
    unknown = run("extract", "pkg:toys/truck")
    assert unknown.returncode == 2
    assert "did you mean pkg:toy/truck?" in unknown.stderr
    absent = run("extract", "pkg:toy/truck", PYTHONPATH="")
    assert absent.returncode == 2
    assert "'toy'" in absent.stderr
