"""All settings, from environment variables and ``.env``; built once, by the entry point.

Settings of the reference implementation keep their names, and unknown variables are ignored, so its
``.env`` loads unchanged. The registry modules define the settings of their URLs and rates
(:mod:`ssc_ingest.ecosystems.endpoints`).
"""

import re
from collections.abc import Container, Mapping
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import platformdirs
from pydantic import (
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from ssc_ingest.errors import ConfigurationError
from ssc_ingest.secret_files import SecretFiles

ENV_FILE = Path(".env")

SCHEMES = {
    "graph_db_uri": ("bolt", "bolt+s", "bolt+ssc", "neo4j", "neo4j+s", "neo4j+ssc"),
    "vuln_db_uri": ("mongodb", "mongodb+srv"),
    "redis_url": ("redis", "rediss"),
    "stream_redis_url": ("redis", "rediss"),
}
HOST = re.compile(r"[A-Za-z0-9._-]+")


class Settings(BaseSettings):
    """The settings of an operator. Times are seconds, sizes bytes, unless a name says otherwise.

    ``make docs`` generates ``template.env`` and ``docs/settings.md`` from this class: from the
    comment above each group and the text below each field.
    """

    model_config = SettingsConfigDict(
        env_file=ENV_FILE,
        extra="ignore",
        env_ignore_empty=True,
        frozen=True,
    )

    # Graph (Neo4j). Without an address, `ssc-ingest up` starts a private server for all commands.
    graph_db_uri: str | None = Field(None, examples=["bolt://localhost:7687"])
    """Address of Neo4j 5.23+ with APOC: bolt, bolt+s, bolt+ssc, neo4j, neo4j+s or neo4j+ssc."""
    graph_db_user: str = "neo4j"
    """User name in Neo4j."""
    graph_db_password: SecretStr = SecretStr("")
    """Password in Neo4j; empty if authentication is off."""

    # Vulnerabilities (MongoDB). Without an address, `ssc-ingest up` starts a private server.
    vuln_db_uri: SecretStr | None = Field(
        None, examples=["mongodb://user:password@localhost:27017/admin"]
    )
    """Address of MongoDB. Its path is the authentication database; data is in `vulnerabilities`."""
    db_vulnerabilities_collection: str = "vulnerabilities"
    """Collection of advisories."""
    db_min_pool_size: int = Field(10, ge=0)
    """Minimum number of connections to MongoDB per process."""
    db_max_pool_size: int = Field(100, ge=1)
    """Maximum number of connections per process to MongoDB, and to Neo4j."""
    db_max_idle_time_ms: int = Field(60_000, ge=0)
    """Milliseconds until an idle connection to MongoDB is closed."""
    db_default_query_timeout_ms: int = Field(30_000, ge=1)
    """Time limit of a query, in milliseconds."""

    # Advisories (OSV) about vulnerable and malicious packages.
    osv_url: str = "https://storage.googleapis.com/osv-vulnerabilities"
    """Address of an OSV bucket, or of a mirror of one."""
    osv_rate: float = Field(20, gt=0)
    """Maximum requests a second to its host."""
    osv_path: Path | None = Field(None, examples=["/srv/osv"])
    """Folder or zip file with a copy of the bucket, instead of OSV_URL."""
    osv_max_requests: int = Field(1000, ge=0)
    """If more records of an ecosystem have changed, its whole dump is read instead of single
    records."""
    vulnerabilities_brake: float = Field(0.1, ge=0, le=1)
    """Maximum share (0 to 1) of an ecosystem's records that one sync may withdraw or remove."""
    malware_score: float = Field(10.0, ge=0, le=10)
    """Score in the means for an advisory about malware that has no score of its own."""

    # Redis: queues, state, and the stream of other services. Without an address, `ssc-ingest up`
    # starts a private server.
    redis_url: SecretStr | None = Field(None, examples=["rediss://user:password@localhost:6379"])
    """Address of Redis 6.2 or later, rediss:// for TLS; overrides the next four."""
    redis_host: str | None = Field(None, examples=["localhost"])
    """Host of Redis."""
    redis_port: int = Field(6379, ge=1, le=65535)
    """Port of Redis."""
    redis_username: str | None = Field(None, examples=["ssc-ingest"])
    """User name in Redis, if it has users."""
    redis_password: SecretStr | None = Field(None, examples=["password"])
    """Password in Redis."""
    redis_db: int = Field(0, ge=0)
    """Database of the stream."""
    redis_broker_db: int = Field(1, ge=0)
    """Database of the queues."""
    redis_state_db: int = Field(2, ge=0)
    """Database of jobs, claims and schedules."""
    redis_cache_db: int = Field(3, ge=0)
    """Cache database. May be flushed; must differ from the other three."""
    redis_stream: str = Field("package-extraction", min_length=1, max_length=64)
    """Stream for package requests of other services; its name with _ instead of - is read, too."""
    redis_group: str = Field("extractors", min_length=1)
    """Consumer group of that stream."""
    redis_consumer: str = Field("package-consumer", min_length=1)
    """Prefix of the consumers' names in the group, before host and process."""
    stream_redis_url: SecretStr | None = Field(None, examples=["redis://:password@redis:6379/0"])
    """Address of another Redis that has the stream; a path overrides REDIS_DB."""
    stream_high_water: int = Field(1000, ge=1)
    """The stream is not read while the urgent queues have this number of messages or more."""
    stream_retention_days: float = Field(7, ge=0)
    """Days until processed entries are removed from the stream; 0 keeps them."""

    # Requests to registries. The addresses and rates of registries are below.
    contact: str = Field("", examples=["https://example.org/contact or ops@example.org"])
    """Web or mail address in the User-Agent, so that registries can contact you."""
    http_timeout_default: float = Field(30, gt=0)
    """Seconds without data until a request for a package fails."""
    http_timeout_medium: float = Field(60, gt=0)
    """Accepted for compatibility; has no effect."""
    http_timeout_long: float = Field(120, gt=0)
    """Seconds without data until a request for a listing or feed fails."""

    # Workers.
    worker_concurrency: int = Field(32, ge=1)
    """Number of packages that each worker process handles at once."""
    task_timeout: float = Field(60, gt=0, le=60)
    """Time limit of one delivery of a task, at most 60."""
    visibility_timeout: int = Field(180, ge=5)
    """Seconds until the tasks of a killed worker are delivered again; must exceed TASK_TIMEOUT."""
    shutdown_grace: float = Field(20, ge=0)
    """Seconds for running tasks to end after their worker received a stop signal."""
    max_attempts: int = Field(5, ge=1)
    """Number of failed attempts until a task becomes a dead letter; waiting does not count."""
    job_max_packages: int = Field(500, ge=1)
    """Maximum number of packages of one on-demand job. The rest stay stubs and are reported."""
    job_max_requests: int = Field(2000, ge=1)
    """Maximum number of requests to registries of one on-demand job. Packages that a caller named
    are read even beyond it."""
    job_max_direct_requirements: int = Field(2000, ge=0)
    """Maximum number of direct requirements that one on-demand job extracts in addition to its
    budget: the requirements of all versions of the packages that the caller named. The rest stay
    stubs and are reported."""
    run_high_water: int = Field(2000, ge=1)
    """Maximum number of packages of one run that are queued or in progress."""
    import_names_max: int = Field(1000, ge=1)
    """Maximum number of import names of a package; the top-level ones are kept."""
    import_names_timeout: float = Field(30, gt=0, le=60)
    """Time limit in seconds for reading the import names of one version."""
    import_names_read: Literal["latest", "all", "none"] = "latest"
    """Versions whose files are read for import names after an extraction: the latest one, all new
    ones, or none. Backfills and requests for single packages always read the files."""
    updates_add_packages: bool = False
    """Whether updates also add packages that the graph lacks; ingestions always do."""
    staleness_budget: float = Field(0.05, ge=0, le=1)
    """Share (0 to 1) of each registry's rate for the daily staleness run; 0 disables it."""
    runs_kept: int = Field(100, ge=1)
    """Maximum number of runs whose records are kept."""
    runs_kept_days: float = Field(90, gt=0)
    """Days until the record of a run is deleted."""
    timezone: str = "UTC"
    """Time zone of the schedules, a name of the tz database."""
    schedules: Literal["all", "own"] = "all"
    """Active schedules: all, or own (only maintenance, without requests to registries)."""

    # Metrics and health of workers: http://METRICS_HOST:METRICS_PORT/metrics, /healthz, /readyz.
    metrics_port: int = Field(9100, ge=0, le=65535)
    """Port for metrics and health of a worker; 0 disables them. Each process needs its own port."""
    metrics_host: str = "127.0.0.1"
    """Address for metrics and health; 0.0.0.0 in containers, whose network limits access."""
    freshness_goal_days: float = Field(7, gt=0)
    """Days after its last reading until a package is stale and is read again."""

    # Flower, the dashboard of workers, tasks and queues.
    flower_port: int = Field(5555, ge=0, le=65535)
    """Port of Flower; 0 chooses a free one."""
    flower_user: str = "admin"
    """User name for Flower."""
    flower_password: SecretStr | None = Field(None, examples=["password"])
    """Password for Flower; required in containers. Without one Flower listens on loopback only."""

    # The overview page of `ssc-ingest web`. FLOWER_USER and FLOWER_PASSWORD protect its changes.
    web_port: int = Field(5556, ge=0, le=65535)
    """Port of the overview page; 0 chooses a free one."""
    web_address: str = "127.0.0.1"
    """Address of the overview page; others than loopback ones require FLOWER_PASSWORD."""

    # This program.
    data_dir: Path = Field(
        default_factory=lambda: platformdirs.user_data_path("ssc-ingest"),
        examples=["~/.local/share/ssc-ingest"],
    )
    """Folder for data of the private servers; kept across restarts."""
    cache_dir: Path = Field(
        default_factory=lambda: platformdirs.user_cache_path("ssc-ingest"),
        examples=["~/.cache/ssc-ingest"],
    )
    """Folder for downloads that can be repeated, such as Neo4j's jars (140 MB)."""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    """Minimum log level."""
    log_format: Literal["json", "text"] = "text"
    """text for people, json for machines."""
    log_file: Path | None = Field(None, examples=["~/ssc-ingest.log"])
    """Additional log file; rotated at 5 MiB, with five old files kept."""
    java_home: Path | None = Field(None, examples=["/usr/lib/jvm/java-21-openjdk"])
    """Java 17 or 21 for the private Neo4j; by default an installed one or one from a wheel."""
    embedded_maven_url: str = "https://repo1.maven.org/maven2"
    """Maven repository for the jars of the private Neo4j; may be a mirror."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - a folder; we have none
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Environment over ``.env``; in both, ``NAME_FILE`` may replace a secret ``NAME``."""
        secrets = {name for name, field in cls.model_fields.items() if is_secret(field)}
        return (
            init_settings,
            env_settings,
            SecretFiles(settings_cls, secrets, env_settings),
            dotenv_settings,
            SecretFiles(settings_cls, secrets, dotenv_settings),
        )

    @field_validator("redis_port", "metrics_port", "flower_port", "web_port", mode="before")
    @classmethod
    def _not_a_service_link(cls, value: Any, info: ValidationInfo) -> Any:
        # Kubernetes sets REDIS_PORT=tcp://10.0.0.1:6379 for a service named "redis".
        if isinstance(value, str) and "://" in value:
            raise ValueError(
                "this is a service link that the container platform injected, not a port; set "
                f"{str(info.field_name).upper()} to a number, or disable such links "
                f"(Kubernetes: enableServiceLinks: false)"
            )
        return value

    @field_validator("graph_db_uri", "vuln_db_uri", "redis_url", "stream_redis_url")
    @classmethod
    def _address(
        cls, value: str | SecretStr | None, info: ValidationInfo
    ) -> str | SecretStr | None:
        if value is None:
            return None
        text = value.get_secret_value() if isinstance(value, SecretStr) else value
        known = SCHEMES[str(info.field_name)]
        if not is_address(text, known, many_hosts=True):
            schemes = ", ".join(f"{scheme}://" for scheme in known)
            raise ValueError(f"must begin with one of {schemes} and contain a host")
        return value

    @field_validator("osv_url")
    @classmethod
    def _web_address(cls, value: str) -> str:
        if not is_address(value, {"http", "https"}) or "@" in urlsplit(value).netloc:
            raise ValueError("must be an http(s) URL without user name and password")
        return value.rstrip("/")

    @field_validator("redis_host")
    @classmethod
    def _host(cls, value: str | None) -> str | None:
        if value and not HOST.fullmatch(value):
            raise ValueError("must be only a host name; use REDIS_URL for a whole address")
        return value

    @field_validator("timezone")
    @classmethod
    def _known_timezone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError("must be a name of the tz database, such as Europe/Madrid") from error
        return value

    @field_validator("data_dir", "cache_dir", "log_file", "osv_path")
    @classmethod
    def _absolute(cls, value: Path | None) -> Path | None:
        # Child processes may have another working directory.
        return value.expanduser().absolute() if value else None

    @model_validator(mode="after")
    def _together(self) -> "Settings":
        if self.redis_cache_db in {self.redis_db, self.redis_broker_db, self.redis_state_db}:
            raise ValueError(
                "REDIS_CACHE_DB must differ from REDIS_DB, REDIS_BROKER_DB and REDIS_STATE_DB: "
                "a cache may be flushed, the others hold work"
            )
        if self.visibility_timeout <= self.task_timeout:
            raise ValueError(
                "VISIBILITY_TIMEOUT must be greater than TASK_TIMEOUT, or running tasks would "
                "be delivered a second time"
            )
        if self.db_min_pool_size > self.db_max_pool_size:
            raise ValueError("DB_MIN_POOL_SIZE must not be greater than DB_MAX_POOL_SIZE")
        return self


def is_secret(field: FieldInfo) -> bool:
    """Whether the setting's value may be read from the file that ``NAME_FILE`` names."""
    return "SecretStr" in str(field.annotation)


def is_address(text: str, schemes: Container[str], *, many_hosts: bool = False) -> bool:
    """Whether the text is a URL of one of these schemes, with a host and no invalid port.

    ``many_hosts``: the URL may name several hosts with ports, for MongoDB's replica sets.
    """
    try:
        parts = urlsplit(text)
        valid_port = (many_hosts and "," in parts.netloc) or parts.port != 0
        return parts.scheme in schemes and bool(parts.hostname) and valid_port
    except ValueError:  # the text may be a part of the password instead of a port
        return False


def load_settings(env_file: Path | None = ENV_FILE, **overrides: Any) -> Settings:
    """Read the settings.

    Raises:
        ConfigurationError: a value is invalid; the text names the variable and the remedy.
    """
    try:
        return Settings(_env_file=env_file, **overrides)
    except ValidationError as error:
        problems = "\n".join(_explain(problem) for problem in error.errors())
        raise ConfigurationError(problems) from None  # the error may contain a password


def _explain(problem: Mapping[str, Any]) -> str:
    """One line for the operator: variable, value (unless it may be a secret) and remedy."""
    reason = str(problem["msg"]).removeprefix("Value error, ")
    if not problem["loc"]:
        return reason
    field = str(problem["loc"][0])
    if is_secret(Settings.model_fields[field]) or "@" in str(problem["input"]):
        return f"{field.upper()}: {reason}"
    return f"{field.upper()}={problem['input']!r}: {reason}"
