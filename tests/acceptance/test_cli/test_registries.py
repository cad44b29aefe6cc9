"""Registries: their rates and pauses, and their cached responses."""

import json

from ssc_ingest.ecosystems import ecosystems
from ssc_ingest.resources import State
from tests.acceptance.test_cli.running import Run, tables_fit


async def test_registries(state: State, run: Run) -> None:
    """Registries are listed with rates, use and pauses.

    They are paused with or without an end, and resumed.
    """
    await state.limiter.take("registry.npmjs.org", rate=5, urgent=True, registry="npm")
    await state.limiter.pause("pypi.org", 100)
    assert run("registries", "pause", "npm", "--for", "2h", "--reason", "incident").returncode == 0
    assert run("registries", "pause", "maven").returncode == 0
    listed = {r["name"]: r for r in json.loads(run("registries", "list", "--json").stdout)}
    assert set(listed) == set(ecosystems())
    assert listed["npm"]["hold"]["reason"] == "incident"
    assert listed["npm"]["hold"]["until"]
    assert listed["maven"]["hold"]["until"] is None
    assert listed["npm"]["hosts"][0]["use"]["last_hour"] == 1
    await state.limiter.unreachable("index.rubygems.org", "the name cannot be resolved " + "x" * 80)
    text = run("registries", "list", COLUMNS="80").stdout
    assert text.split()[:3] == ["registry", "host", "rate"], "one line for each, not a block"
    table, _, reasons = text.partition("\nnpm: ")
    assert tables_fit(table, 80)
    assert "incident" in reasons
    assert "maven: paused until resumed: by hand" in reasons
    assert "pypi: pypi.org requested a pause until" in text
    assert "rubygems: the name cannot be resolved x" in reasons
    assert run("registries", "resume", "npm").returncode == 0
    assert "not paused" in run("registries", "resume", "npm").stderr
    assert run("registries", "pause", "golang").returncode == 2
    assert run("registries", "pause", "npm", "--for", "soon").returncode == 2


async def test_cache(state: State, run: Run) -> None:
    """``cache`` shows the number of entries of each kind and matching entries, and clears them."""
    await state.cache.set("import_names:pypi:a:1", b"[]", ex=3600)
    await state.cache.set("import_names:npm:a:1", b"[]", ex=3600)
    sums = json.loads(run("cache", "list", "--json").stdout)
    assert sums["import_names"]["entries"] == 2
    assert sums["document"] == {
        "entries": 0,
        "bytes": 0,
        "oldest_seconds": 0,
        "kept_for_seconds": 24 * 3600,
    }
    assert "import_names" in run("cache", "list", COLUMNS="80").stdout
    (entry,) = json.loads(run("cache", "list", "import_names:npm:*", "--json").stdout)
    assert entry["key"] == "import_names:npm:a:1"
    assert "import_names:npm:a:1" in run("cache", "list", "*").stdout
    assert "--limit" in run("cache", "list", "*", "--limit", "1").stdout
    assert run("cache", "clear", "import_names:pypi:a:1").stdout == "1 entry removed\n"
    assert run("cache", "clear", "import_names:pypi:a:1").returncode == 1
    assert run("cache", "clear").returncode == 2
    assert json.loads(run("cache", "clear", "*", "--json").stdout) == {"removed": 1}
