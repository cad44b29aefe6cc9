"""The output of ``show`` and ``query``."""

import json
import re
from typing import Any

import pytest

from tests.acceptance.test_cli.running import Run, tables_fit


def test_show_a_package(graph: None, run: Run) -> None:
    """``show`` shows facts, the newest versions, and the latest requirements.

    Unknown is not zero.
    """
    shown = run("show", "pkg:PyPI/Example")
    assert shown.returncode == 0
    assert "\x1b" not in shown.stdout
    for fact in ("pkg:pypi/example", "Example Inc.", "1.11", ">= 2", "pkg:pypi/required", "stub"):
        assert fact in shown.stdout
    assert "not synced" in shown.stdout
    assert "0 vulnerabilities" not in shown.stdout
    assert "1.0 " not in shown.stdout
    assert "1.0 " in run("show", "pkg:pypi/example", "--all").stdout
    narrow = run("show", "pkg:pypi/example", COLUMNS="50")
    assert tables_fit(narrow.stdout.replace("all versions: ssc-ingest show ", ""), 50)


def test_show_as_json(graph: None, run: Run) -> None:
    """The output of ``show --json`` is one JSON document, including dependents."""
    shown = json.loads(run("show", "pkg:pypi/required", "--dependents", "--json").stdout)
    assert shown["is_stub"] is True
    assert shown["moment"] is None
    (dependent,) = shown["dependents"]["packages"]
    assert dependent == {
        "purl": "pkg:pypi/example",
        "newest": "1.11",
        "constraints": ">= 2",
        "versions": 1,
        "is_latest": True,
    }
    package = json.loads(run("show", "pkg:pypi/example@1.3", "--json").stdout)
    assert package["version_count"] == 12
    assert package["version"]["yanked"] is True
    assert package["vulnerabilities_synced_at"] is None


def test_show_the_facts(graph: None, run: Run) -> None:
    """``show`` shows the facts that an install uses; those of an unread version are unknown."""
    shown = run("show", "pkg:pypi/example", COLUMNS="160").stdout
    for fact in (
        *(">=3.9", "MIT", "use required", "socks", "react ^18 (optional)"),
        'optional; extras all cli, marker sys_platform == "linux"',
    ):
        assert fact in shown
    assert "other facts" not in shown
    unread = run("show", "pkg:pypi/example@1.0").stdout
    assert re.search(r"licence +unknown", unread)
    assert re.search(r"other facts +unknown", unread)
    assert "deprecated" not in unread
    document = json.loads(run("show", "pkg:pypi/example", "--json").stdout)
    version = document["version"]
    assert (version["facts_known"], version["license"]) == (True, "MIT")
    assert version["extra_requirements"] == {"socks": ["pysocks"]}
    assert version["features"] is None
    assert version["requires"][0]["declared"][0]["extras"] == ["all", "cli"]
    plain = json.loads(run("show", "pkg:pypi/example@1.0", "--json").stdout)["version"]
    assert plain["facts_known"] is False


def test_show_a_missing_package(graph: None, run: Run) -> None:
    """A package or version that the graph lacks exits with 1 and suggests a command."""
    absent = run("show", "pkg:npm/absent")
    assert absent.returncode == 1
    assert "ssc-ingest extract pkg:npm/absent" in absent.stderr
    version = run("show", "pkg:pypi/example@9.9")
    assert version.returncode == 1
    assert "1.11" in version.stderr
    stub = run("show", "pkg:pypi/required")
    assert stub.returncode == 0
    assert "a stub" in stub.stdout


def test_query_reads(graph: None, run: Run) -> None:
    """A statement's result is a table, or JSON; the number of rows is limited."""
    statement = "MATCH (p:PyPIPackage)-[h:HAVE]->(v) RETURN p, h, v.name AS version ORDER BY v.name"
    table = run("query", statement, "--limit", "2")
    assert table.returncode == 0
    assert "(:PyPIPackage pkg:pypi/example)" in table.stdout
    assert "--limit" in table.stderr
    rows = json.loads(run("query", statement, "--limit", "2", "--json").stdout)
    assert [row["version"] for row in rows] == ["1.0", "1.1"]
    assert rows[0]["p"]["labels"] == ["PyPIPackage"]
    values = "RETURN null AS n, true AS t, [1, {a: 1.5}] AS l, date('2026-01-02') AS d"
    assert json.loads(run("query", values, "--json").stdout) == [
        {"n": None, "t": True, "l": [1, {"a": 1.5}], "d": "2026-01-02"}
    ]
    assert "[1, {a: 1.5}]" in run("query", values).stdout
    assert "no rows" in run("query", "MATCH (n:Nothing) RETURN n").stdout


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE (n:Intruder) RETURN n",
        "MATCH (n) DETACH DELETE n",
        "CREATE INDEX intruder FOR (n:Intruder) ON (n.name)",
        "CALL apoc.cypher.runWrite('CREATE (n:Intruder)', {}) YIELD value RETURN value",
        "this is no Cypher",
    ],
)
def test_query_never_writes(graph: None, run: Run, cypher: Any, statement: str) -> None:
    """The server rejects statements that write, and the program shows that."""
    done = run("query", statement)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert cypher("MATCH (n:Intruder) RETURN n") == []
    assert cypher("MATCH (v:Version) RETURN count(v) AS versions") == [{"versions": 12}]
