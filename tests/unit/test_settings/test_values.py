"""Settings: their values, and the errors for invalid ones."""

from pathlib import Path

import pytest

from ssc_ingest.ecosystems import ecosystems
from ssc_ingest.ecosystems.endpoints import Endpoint, Option, load_endpoints, setting_names
from ssc_ingest.errors import ConfigurationError
from ssc_ingest.servers import configured_redis_url
from ssc_ingest.settings import Settings, load_settings
from tests.unit.test_settings.variables import known_names, refusal

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
    """An empty variable has no effect: container platforms pass unset ones like this."""
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


@pytest.mark.parametrize("value", ["ftp://mirror", "mirror", "http://"])
def test_registry_address_must_be_one(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A registry's base URL is validated when it is read."""
    ecosystem, cls = next(iter(ecosystems().items()))
    name = setting_names(ecosystem, cls.identity.endpoints[0])[0]
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError, match=f"^{name}=.*must be an http"):
        load_endpoints(ecosystem, cls.identity.endpoints, None)


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
