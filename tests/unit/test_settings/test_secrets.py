"""Secrets: they are never shown, and they may be in files."""

from pathlib import Path

import pytest

from ssc_ingest.ecosystems import ecosystems
from ssc_ingest.ecosystems.endpoints import load_endpoints, setting_names
from ssc_ingest.errors import ConfigurationError
from ssc_ingest.settings import Settings, is_secret, load_settings
from tests.unit.test_settings.variables import refusal


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("VULN_DB_URI", "mongo://user:hunter2@mongo"),
        ("VULN_DB_URI", "hunter2"),
        ("REDIS_URL", "hunter2"),
        ("REDIS_URL", "http://:hunter2@redis"),
        ("REDIS_URL", "redis://user:hunter2/@redis"),
        ("GRAPH_DB_URI", "http://neo4j:hunter2@neo4j"),
    ],
)
def test_passwords_are_not_shown(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An invalid address may contain a password."""
    assert "hunter2" not in refusal(monkeypatch, {name: value})


def test_printed_settings_hold_no_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings in a log or traceback show no secrets."""
    monkeypatch.setenv("VULN_DB_URI", "mongodb://user:hunter2@mongo")
    monkeypatch.setenv("REDIS_URL", "rediss://:hunter2@redis")
    for name in ("GRAPH_DB_PASSWORD", "REDIS_PASSWORD", "FLOWER_PASSWORD"):
        monkeypatch.setenv(name, "hunter2")
    assert "hunter2" not in repr(load_settings(None))


@pytest.mark.parametrize("value", ["https://ci:hunter2@mirror", "https://ci:hunter2/@mirror"])
def test_registry_address_has_no_password(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A password in the address would be shown with the host's name. The error does not show it."""
    ecosystem, cls = next(iter(ecosystems().items()))
    name = setting_names(ecosystem, cls.identity.endpoints[0])[0]
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError, match=f"^{name}=") as error:
        load_endpoints(ecosystem, cls.identity.endpoints, None)
    assert "hunter2" not in str(error.value)


SECRETS = {
    "GRAPH_DB_PASSWORD": "hunter2",
    "VULN_DB_URI": "mongodb://user:hunter2@mongo",
    "REDIS_URL": "redis://:hunter2@redis",
    "REDIS_PASSWORD": "hunter2",
    "STREAM_REDIS_URL": "redis://:hunter2@streams",
    "FLOWER_PASSWORD": "hunter2",
}


def test_every_secret_is_tested() -> None:
    """The settings whose values are secrets are those of the next tests."""
    secrets = {n.upper() for n, f in Settings.model_fields.items() if is_secret(f)}
    assert secrets == set(SECRETS)


@pytest.mark.parametrize("name", SECRETS)
@pytest.mark.parametrize("place", ["environment", "file"])
def test_secret_comes_from_a_file(
    name: str, place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``NAME_FILE`` is in the environment or ``.env``; the file's last newline does not count."""
    (tmp_path / "secret").write_text(f"{SECRETS[name]}\n")
    env = tmp_path / ".env"
    env.write_text("")
    if place == "environment":
        monkeypatch.setenv(f"{name}_FILE", str(tmp_path / "secret"))
    else:
        env.write_text(f"{name}_FILE={tmp_path / 'secret'}\n{name}=\n")
    assert getattr(load_settings(env), name.lower()).get_secret_value() == SECRETS[name]


def test_file_of_the_environment_wins_over_the_value_in_env(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The environment overrides ``.env``, whichever of both names a file."""
    secret, env = tmp_path / "secret", tmp_path / ".env"
    secret.write_text("from the file")
    env.write_text("REDIS_PASSWORD=from-env\n")
    monkeypatch.setenv("REDIS_PASSWORD_FILE", str(secret))
    found = load_settings(env).redis_password
    assert found is not None
    assert found.get_secret_value() == "from the file"
    monkeypatch.delenv("REDIS_PASSWORD_FILE")
    env.write_text(f"REDIS_PASSWORD_FILE={secret}\n")
    monkeypatch.setenv("REDIS_PASSWORD", "from-the-environment")
    found = load_settings(env).redis_password
    assert found is not None
    assert found.get_secret_value() == "from-the-environment"


@pytest.mark.parametrize("name", SECRETS)
def test_missing_secret_file_is_refused_with_a_remedy(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error names the variable, the path and the remedy."""
    text = refusal(monkeypatch, {f"{name}_FILE": str(tmp_path / "none")})
    assert text.startswith(f"{name}_FILE='{tmp_path}/none': No such file or directory; put the")
    assert text.endswith(f"or set {name} instead")


def test_folder_is_no_secret_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Docker creates a folder where a mounted file does not exist."""
    assert "Is a directory" in refusal(monkeypatch, {"REDIS_PASSWORD_FILE": str(tmp_path)})


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "the file is empty"),
        (b"\n", "the file is empty"),
        (b"\xff\xfe", "must be UTF-8 text"),
        (b"x" * 70_000, "is larger than 65536 bytes"),
    ],
)
def test_file_without_a_secret_is_refused(
    content: bytes, problem: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An empty password would mean no password."""
    (tmp_path / "secret").write_bytes(content)
    assert problem in refusal(monkeypatch, {"REDIS_PASSWORD_FILE": str(tmp_path / "secret")})


def test_secret_is_set_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two values in one place contradict each other."""
    (tmp_path / "secret").write_text("hunter2")
    variables = {"REDIS_PASSWORD": "hunter3", "REDIS_PASSWORD_FILE": str(tmp_path / "secret")}
    assert refusal(monkeypatch, variables) == "set REDIS_PASSWORD or REDIS_PASSWORD_FILE, not both"


def test_value_in_a_secret_file_is_checked_and_not_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wrong address in a file is refused like any other."""
    (tmp_path / "secret").write_text("http://:hunter2@redis")
    text = refusal(monkeypatch, {"REDIS_URL_FILE": str(tmp_path / "secret")})
    assert text.startswith("REDIS_URL: must begin with one of")
    assert "hunter2" not in text
