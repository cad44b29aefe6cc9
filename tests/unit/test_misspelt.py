"""Settings under a wrong name are reported with the right one."""

from pathlib import Path

import pytest

from ssc_ingest.cli.misspelt import misspelt_settings, resembling, setting_names


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("WORKER_CONCURENCY", "WORKER_CONCURRENCY"),
        ("GRAPH_DB_URL", "GRAPH_DB_URI"),
        ("REDIS_URI", "REDIS_URL"),
        ("DATADIR", "DATA_DIR"),
        ("REDIS_PASSWORD_FIEL", "REDIS_PASSWORD_FILE"),
        ("NPM_REGISTRY_RATES", "NPM_REGISTRY_RATE"),
    ],
)
def test_a_slip_is_found(wrong: str, right: str) -> None:
    """A name with a letter too few, too many or wrong is found."""
    (found,) = resembling({wrong: "1"}, setting_names(), "the environment")
    assert str(found) == f"{wrong} in the environment has no effect: is it {right}?"


def test_settings_and_other_programs_variables_are_not() -> None:
    """Neither our own names, nor what a shell or container platform sets."""
    others = ["PATH", "HOME", "LANG", "LOGNAME", "REDIS_SERVICE_PORT", "REDIS_PORT_6379_TCP"]
    others += ["NEO4J_AUTH", "MONGO_URL", "DAGSTER_HOME", "VULN_DB_USER", "JAVA_TOOL_OPTIONS"]
    names = setting_names()
    assert list(resembling(dict.fromkeys([*names, *others], ""), names, "here")) == []


def test_both_places_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment and .env, by its absolute path, are read; names ignore upper case."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REDIS_HOTS", "redis")
    (tmp_path / ".env").write_text("contct=a@b.example\nPYPI_JSON_RATE=1\nfoo=bar\n")
    assert [(each.name, each.place, each.setting) for each in misspelt_settings()] == [
        ("REDIS_HOTS", "the environment", "REDIS_HOST"),
        ("CONTCT", str(tmp_path / ".env"), "CONTACT"),
    ]
