"""template.env: it lists every setting, and a copy of it changes nothing."""

import re
import runpy
from collections.abc import Iterator
from pathlib import Path

import pytest

from ssc_ingest.ecosystems import ecosystems
from ssc_ingest.ecosystems.endpoints import load_endpoints
from ssc_ingest.settings import Settings, load_settings
from tests.unit.test_settings.variables import known_names

ROOT = Path(__file__).parents[3]


def template_lines() -> Iterator[tuple[str, str, bool]]:
    """Name, value and whether it is set, of each variable in template.env."""
    text = (ROOT / "template.env").read_text()
    pattern = r"^(?P<off># )?(?P<name>[A-Z][A-Z0-9_]+)=(?P<value>.*)$"
    for match in re.finditer(pattern, text, re.MULTILINE):
        yield match["name"], match["value"], match["off"] is None


def test_template_lists_every_setting_once() -> None:
    """The template has exactly the variables that the program reads."""
    names = [name for name, _, _ in template_lines()]
    assert sorted(names) == sorted(known_names())


def test_template_sets_nothing_but_defaults(tmp_path: Path) -> None:
    """A copy of the template means the same as no file at all."""
    copy = tmp_path / ".env"
    copy.write_text((ROOT / "template.env").read_text())
    assert load_settings(copy) == load_settings(None)
    for name, cls in ecosystems().items():
        endpoints, options = cls.identity.endpoints, cls.identity.options
        copied, default = (load_endpoints(name, endpoints, env, options) for env in (copy, None))
        assert copied.hosts == default.hosts
        assert [copied.chosen(o) for o in options] == [default.chosen(o) for o in options]
        assert [copied.url(e.key) for e in endpoints] == [default.url(e.key) for e in endpoints]


def test_template_leaves_server_addresses_out() -> None:
    """A copied template configures no server, so it starts the private ones."""
    unset = {name for name, _, is_set in template_lines() if not is_set}
    assert {"GRAPH_DB_URI", "VULN_DB_URI", "REDIS_HOST", "REDIS_URL"} <= unset


def test_every_example_in_the_template_is_valid(tmp_path: Path) -> None:
    """An uncommented example loads."""
    for name, value, is_set in template_lines():
        if not is_set:
            env = tmp_path / name
            env.write_text(f"{name}={value}\n")
            assert getattr(load_settings(env), name.lower()) is not None, name


def test_documentation_is_what_the_definitions_say(monkeypatch: pytest.MonkeyPatch) -> None:
    """template.env and docs/settings.md are up to date."""
    monkeypatch.setattr("sys.argv", ["settings_docs.py", "--check"])
    with pytest.raises(SystemExit) as stopped:
        runpy.run_path(str(ROOT / "scripts/settings_docs.py"), run_name="__main__")
    assert not stopped.value.code


def test_every_setting_is_explained() -> None:
    """Every setting has a sentence in the documentation."""
    groups = runpy.run_path(str(ROOT / "scripts/settings_docs.py"))["groups"]
    explained = {row.name: row.about for group in groups() for row in group.rows}
    assert {name.upper() for name in Settings.model_fields} <= explained.keys()
    assert [name for name, about in explained.items() if not about] == []
