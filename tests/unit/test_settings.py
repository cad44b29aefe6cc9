"""Settings: their values, and the errors for invalid ones."""

import re
import runpy
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from ssc_ingest.ecosystems import ecosystems
from ssc_ingest.ecosystems.endpoints import (
    Endpoint,
    Option,
    load_endpoints,
    option_name,
    setting_names,
)
from ssc_ingest.errors import ConfigurationError
from ssc_ingest.servers import configured_redis_url
from ssc_ingest.settings import Settings, is_secret, load_settings

ROOT = Path(__file__).parents[2]

REFERENCE_ENV = """
# As operators of the reference implementation have it.
GRAPH_DB_URI='bolt://neo4j:7687'
GRAPH_DB_USER='neo4j'
GRAPH_DB_PASSWORD='s3cret'
VULN_DB_URI='mongodb://mongoSecureChain:mongoSecureChain@mongo:27017/admin'
VULN_DB_USER='mongoSecureChain'
VULN_DB_PASSWORD='mongoSecureChain'
POSTGRES_USER=dagster
POSTGRES_PASSWORD=dagster
POSTGRES_DB=dagster
POSTGRES_HOST=dagster-postgres
POSTGRES_PORT=5432
DAGSTER_HOME=/opt/dagster/dagster_home
REDIS_HOST=redis
REDIS_PORT=6379
REDIS_DB=0
REDIS_STREAM=package_extraction
REDIS_GROUP=extractors
REDIS_CONSUMER=package-consumer
HTTP_TIMEOUT_DEFAULT=30
HTTP_TIMEOUT_MEDIUM=60
HTTP_TIMEOUT_LONG=120
DB_MIN_POOL_SIZE=10
DB_MAX_POOL_SIZE=100
DB_MAX_IDLE_TIME_MS=60000
DB_DEFAULT_QUERY_TIMEOUT_MS=30000
DB_VULNERABILITIES_COLLECTION=vulnerabilities
DB_SMTS_COLLECTION=smts
DB_OPERATION_RESULT_COLLECTION=operation_results
DB_API_KEY_COLLECTION=api_keys
PYTHONPATH=/opt/dagster/app
"""


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Variables of this machine must not affect these tests."""
    for name in known_names():
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(f"{name}_FILE", raising=False)


def known_names() -> set[str]:
    """Every variable that the program reads."""
    names = {name.upper() for name in Settings.model_fields}
    for ecosystem, cls in ecosystems().items():
        for endpoint in cls.identity.endpoints:
            names.update(setting_names(ecosystem, endpoint))
        names.update(option_name(ecosystem, option) for option in cls.identity.options)
    return names


def template_lines() -> Iterator[tuple[str, str, bool]]:
    """Name, value and whether it is set, of each variable in template.env."""
    text = (ROOT / "template.env").read_text()
    pattern = r"^(?P<off># )?(?P<name>[A-Z][A-Z0-9_]+)=(?P<value>.*)$"
    for match in re.finditer(pattern, text, re.MULTILINE):
        yield match["name"], match["value"], match["off"] is None


def refusal(monkeypatch: pytest.MonkeyPatch, variables: Mapping[str, str]) -> str:
    """The error for these variables."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError) as caught:
        load_settings(None)
    return str(caught.value)


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


def test_env_of_the_reference_implementation_loads_unchanged(tmp_path: Path) -> None:
    """Names in the reference implementation's ``.env`` keep their meaning.

    Unknown ones are ignored.
    """
    env = tmp_path / ".env"
    env.write_text(REFERENCE_ENV)
    settings = load_settings(env)
    assert settings.graph_db_uri == "bolt://neo4j:7687"
    assert settings.graph_db_password.get_secret_value() == "s3cret"
    assert settings.vuln_db_uri is not None
    assert settings.vuln_db_uri.get_secret_value().endswith("@mongo:27017/admin")
    assert configured_redis_url(settings) == "redis://redis:6379"
    assert settings.redis_stream == "package_extraction"


def test_environment_wins_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable of the environment overrides the file."""
    env = tmp_path / ".env"
    env.write_text("REDIS_GROUP=from-the-file\n")
    monkeypatch.setenv("REDIS_GROUP", "from-the-environment")
    assert load_settings(env).redis_group == "from-the-environment"


def test_empty_variable_counts_as_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """Container platforms pass unset variables as empty ones."""
    for name in known_names():
        monkeypatch.setenv(name, "")
    assert load_settings(None) == Settings(_env_file=None)


@pytest.mark.parametrize("name", ["REDIS_PORT", "FLOWER_PORT"])
def test_service_link_instead_of_a_port(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The value of a container platform is recognised, and the remedy named."""
    text = refusal(monkeypatch, {name: "tcp://10.0.0.1:6379"})
    assert text.startswith(f"{name}='tcp://10.0.0.1:6379'")
    assert f"set {name} to a number" in text
    assert "enableServiceLinks" in text


@pytest.mark.parametrize(
    ("variables", "remedy"),
    [
        ({"REDIS_PORT": "0"}, "REDIS_PORT='0': Input should be greater than or equal to 1"),
        ({"REDIS_PORT": "70000"}, "REDIS_PORT='70000': Input should be less than"),
        ({"REDIS_PORT": "redis"}, "REDIS_PORT='redis': Input should be a valid integer"),
        ({"REDIS_HOST": "redis://redis:6379"}, "use REDIS_URL for a whole address"),
        ({"REDIS_CACHE_DB": "0"}, "REDIS_CACHE_DB must differ from REDIS_DB"),
        ({"REDIS_CACHE_DB": "1"}, "REDIS_CACHE_DB must differ from REDIS_DB, REDIS_BROKER_DB"),
        ({"REDIS_CACHE_DB": "2"}, "REDIS_CACHE_DB must differ from REDIS_DB, REDIS_BROKER_DB"),
        ({"REDIS_DB": "3"}, "REDIS_CACHE_DB must differ"),
        ({"REDIS_BROKER_DB": "3"}, "REDIS_CACHE_DB must differ"),
        ({"REDIS_STATE_DB": "3"}, "REDIS_CACHE_DB must differ"),
        ({"GRAPH_DB_URI": "http://neo4j:7474"}, "GRAPH_DB_URI='http://neo4j:7474': must be"),
        ({"GRAPH_DB_URI": "neo4j:7687"}, "bolt://, bolt+s://"),
        ({"TASK_TIMEOUT": "61"}, "TASK_TIMEOUT='61': Input should be less than or equal to 60"),
        ({"VISIBILITY_TIMEOUT": "60"}, "VISIBILITY_TIMEOUT must be greater than TASK_TIMEOUT"),
        ({"DB_MIN_POOL_SIZE": "101"}, "DB_MIN_POOL_SIZE must not be greater than DB_MAX_POOL_SIZE"),
        ({"TIMEZONE": "Europe/Atlantis"}, "TIMEZONE='Europe/Atlantis': must be a name of the tz"),
        ({"TIMEZONE": "../../etc/passwd"}, "TIMEZONE='../../etc/passwd': must be a name"),
        ({"LOG_FORMAT": "xml"}, "LOG_FORMAT='xml': Input should be 'json' or 'text'"),
        ({"WORKER_CONCURRENCY": "0"}, "WORKER_CONCURRENCY='0': Input should be greater than"),
    ],
)
def test_senseless_setting_is_refused_by_name(
    variables: dict[str, str], remedy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error names the variable, its value and the expected value."""
    assert remedy in refusal(monkeypatch, variables)


@pytest.mark.parametrize(
    "variables",
    [
        {"DB_MIN_POOL_SIZE": "7", "DB_MAX_POOL_SIZE": "7"},
        {"VISIBILITY_TIMEOUT": "61", "TASK_TIMEOUT": "60"},
        {"REDIS_DB": "5", "REDIS_BROKER_DB": "5", "REDIS_STATE_DB": "5"},
        {"STALENESS_BUDGET": "0"},
        {"STALENESS_BUDGET": "1"},
        {"REDIS_PORT": "65535", "METRICS_PORT": "0"},
    ],
)
def test_values_at_the_limit_are_fine(
    variables: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The largest and smallest valid values are accepted."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    settings = load_settings(None)
    for name, value in variables.items():
        assert getattr(settings, name.lower()) == float(value)


def test_all_problems_are_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each problem has one line, so that operators can fix all of them together."""
    text = refusal(monkeypatch, {"REDIS_PORT": "x", "LOG_LEVEL": "LOUD", "TIMEZONE": "Mars"})
    assert [line.partition("=")[0] for line in text.splitlines()] == [
        "REDIS_PORT",
        "TIMEZONE",
        "LOG_LEVEL",
    ]


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


@pytest.mark.parametrize("value", ["ftp://mirror", "mirror", "http://"])
def test_registry_address_must_be_one(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A registry's base URL is validated when it is read."""
    ecosystem, cls = next(iter(ecosystems().items()))
    name = setting_names(ecosystem, cls.identity.endpoints[0])[0]
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError, match=f"^{name}=.*must be an http"):
        load_endpoints(ecosystem, cls.identity.endpoints, None)


@pytest.mark.parametrize("value", ["https://ci:hunter2@mirror", "https://ci:hunter2/@mirror"])
def test_registry_address_has_no_password(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A password in the address would be shown with the host's name. The error does not show it."""
    ecosystem, cls = next(iter(ecosystems().items()))
    name = setting_names(ecosystem, cls.identity.endpoints[0])[0]
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError, match=f"^{name}=") as error:
        load_endpoints(ecosystem, cls.identity.endpoints, None)
    assert "hunter2" not in str(error.value)


def test_a_replica_set_has_many_hosts(monkeypatch: pytest.MonkeyPatch) -> None:
    """MongoDB's addresses may have several hosts with ports."""
    monkeypatch.setenv("VULN_DB_URI", "mongodb://one:27017,two:27018/admin?replicaSet=rs0")
    assert load_settings(None).vuln_db_uri is not None


def test_an_option_is_one_of_its_choices(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first choice is the default; the error names a wrong value."""
    option = Option(key="taste", choices=("sweet", "salt"), about="What it is like.")
    endpoints = (Endpoint(key="api", url="https://example.org", rate=1),)
    assert load_endpoints("corn", endpoints, None).chosen(option) == "sweet"
    assert load_endpoints("corn", endpoints, None, (option,)).chosen(option) == "sweet"
    monkeypatch.setenv("CORN_TASTE", "salt")
    assert load_endpoints("corn", endpoints, None, (option,)).chosen(option) == "salt"
    monkeypatch.setenv("CORN_TASTE", "sour")
    with pytest.raises(ConfigurationError, match=r"^CORN_TASTE='sour': .*'sweet' or 'salt'"):
        load_endpoints("corn", endpoints, None, (option,))


def test_folders_become_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Child processes with another working directory use the same folders."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATA_DIR", "here")
    monkeypatch.setenv("CACHE_DIR", "~/there")
    settings = load_settings(None)
    assert settings.data_dir == tmp_path / "here"
    assert settings.cache_dir == Path.home() / "there"


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
    """``NAME_FILE`` in the environment or in ``.env``; the file's last newline is none of it."""
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
