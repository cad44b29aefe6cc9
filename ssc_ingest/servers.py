"""Addresses of the three servers: configured ones, or those of the running embedded stack.

``up`` writes the addresses of its servers to a file in the data directory. Celery and the commands
in other terminals read them there.
"""

import fcntl
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

from ssc_ingest.errors import ConfigurationError, ServersStarting
from ssc_ingest.settings import Settings

STACK_FILE = "stack.json"
LOCK_FILE = "stack.lock"


@dataclass(frozen=True, slots=True)
class EmbeddedAddresses:
    """Addresses of a running embedded stack; ``None`` for a server that it does not run."""

    graph_uri: str | None = None
    redis_url: str | None = None
    vulnerabilities_uri: str | None = None

    def write(self, data_dir: Path) -> None:
        """Publish the addresses in one atomic step, readable by this user only."""
        target = data_dir / STACK_FILE
        temporary = target.with_suffix(".tmp")
        temporary.touch(mode=0o600)
        temporary.write_text(json.dumps(asdict(self)))
        temporary.replace(target)

    @staticmethod
    def remove(data_dir: Path) -> None:
        """Remove the addresses (the stack has stopped)."""
        (data_dir / STACK_FILE).unlink(missing_ok=True)

    @staticmethod
    def read(data_dir: Path) -> "EmbeddedAddresses | None":
        """The addresses of the stack that runs in this data directory, or ``None``."""
        try:
            if not is_held(data_dir):
                return None  # left behind by a killed process
            return EmbeddedAddresses(**json.loads((data_dir / STACK_FILE).read_text()))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise ConfigurationError(
                f"DATA_DIR={str(data_dir)!r} cannot be read: {error.strerror}"
            ) from error


def is_held(data_dir: Path) -> bool:
    """Whether a running embedded stack uses the data directory.

    Its processes hold a lock on a file. The kernel releases it when the last process ends, so
    unlike a process id it cannot be out of date.
    """
    descriptor = os.open(data_dir / LOCK_FILE, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


@dataclass(frozen=True, slots=True)
class Servers:
    """Complete addresses, with credentials. Never print these: see :func:`without_credentials`."""

    graph_uri: str
    graph_auth: tuple[str, str] | None
    redis_url: str
    """Without a database number; see :meth:`redis`."""
    vulnerabilities_uri: str
    stream_url: str | None = None
    """Of the Redis with other services' streams, perhaps with a database; ``None``: the same."""

    def stream(self, database: int) -> str:
        """The URL of the database with the streams; ``database`` is used if the URL names none."""
        if self.stream_url is None:
            return self.redis(database)
        parts = urlsplit(self.stream_url)
        return urlunsplit(parts if parts.path.strip("/") else parts._replace(path=f"/{database}"))

    def redis(self, database: int) -> str:
        """The Redis URL of one database."""
        parts = urlsplit(self.redis_url)
        return urlunsplit(parts._replace(path=f"/{database}"))


def redis_name(info: Mapping[str, Any]) -> str:
    """``Valkey 9.1.0`` or ``Redis 8.0.1``, by the response to ``INFO server``."""
    version = info.get("valkey_version") or info.get("redis_version")
    return f"{str(info.get('server_name', 'redis')).capitalize()} {version}"


def locate(settings: Settings) -> Servers:
    """Find the servers: configured ones, else those of the running embedded stack.

    Raises:
        ServersStarting: an embedded stack starts or stops.
        ConfigurationError: a server is neither configured nor run by an embedded stack.
    """
    graph_uri, redis_url = settings.graph_db_uri, configured_redis_url(settings)
    vulnerabilities_uri = settings.vuln_db_uri and settings.vuln_db_uri.get_secret_value()
    if not (graph_uri and redis_url and vulnerabilities_uri):
        embedded = EmbeddedAddresses.read(settings.data_dir) or EmbeddedAddresses()
        graph_uri = graph_uri or embedded.graph_uri
        redis_url = redis_url or embedded.redis_url
        vulnerabilities_uri = vulnerabilities_uri or embedded.vulnerabilities_uri
    missing = [
        f"{name} (set {variable})"
        for name, variable, value in (
            ("graph", "GRAPH_DB_URI", graph_uri),
            ("redis", "REDIS_HOST or REDIS_URL", redis_url),
            ("vulnerabilities", "VULN_DB_URI", vulnerabilities_uri),
        )
        if not value
    ]
    if missing or not (graph_uri and redis_url and vulnerabilities_uri):
        if _is_starting(settings.data_dir):
            raise ServersStarting(
                f"the servers of `ssc-ingest up` in {settings.data_dir} are starting or stopping: "
                "try again when it prints that everything is ready"
            )
        raise ConfigurationError(
            f"no server for: {', '.join(missing)}. Set the variables, or start `ssc-ingest up`, "
            f"which is not running with DATA_DIR={settings.data_dir}"
        )
    password = settings.graph_db_password.get_secret_value()
    auth = (settings.graph_db_user, password) if settings.graph_db_uri and password else None
    stream = settings.stream_redis_url and settings.stream_redis_url.get_secret_value()
    return Servers(graph_uri, auth, redis_url, vulnerabilities_uri, stream or None)


def _is_starting(data_dir: Path) -> bool:
    """Whether an embedded stack uses the data directory and publishes no addresses."""
    try:
        return is_held(data_dir) and not (data_dir / STACK_FILE).exists()
    except FileNotFoundError:
        return False


def configured_redis_url(settings: Settings) -> str | None:
    """The Redis URL of the settings (``REDIS_URL`` overrides ``REDIS_HOST``), or ``None``."""
    if settings.redis_url:
        return settings.redis_url.get_secret_value()
    if not settings.redis_host:
        return None
    credentials = ""
    if settings.redis_password:
        password = quote(settings.redis_password.get_secret_value(), safe="")
        credentials = f"{quote(settings.redis_username or '', safe='')}:{password}@"
    return f"redis://{credentials}{settings.redis_host}:{settings.redis_port}"


def without_credentials(uri: str) -> str:
    """The address without user, password and options, which may also contain credentials."""
    parts = urlsplit(uri)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=host, query="", fragment=""))
