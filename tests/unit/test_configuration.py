"""The parts of Celery's configuration that depend on the settings."""

import socket
import ssl
from typing import Any

import pytest
from celery import Celery
from kombu import Connection
from kombu.exceptions import OperationalError

from ssc_ingest.servers import locate
from ssc_ingest.settings import load_settings
from workers import configuration
from workers.configuration import celery_configuration


def configured(redis_url: str) -> dict[str, Any]:
    """Celery's configuration with this Redis."""
    settings = load_settings(
        None, graph_db_uri="bolt://graph", vuln_db_uri="mongodb://mongo", redis_url=redis_url
    )
    return celery_configuration(settings, locate(settings))


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://redis:6379", None),
        ("rediss://redis:6379", {"ssl_cert_reqs": ssl.CERT_REQUIRED}),
        ("rediss://redis:6379?ssl_cert_reqs=none", {"ssl_cert_reqs": ssl.CERT_NONE}),
    ],
)
def test_tls_checks_certificates_unless_told_otherwise(url: str, expected: object) -> None:
    """`rediss://` is encrypted and verified; options of the URL win."""
    conf = configured(url)
    broker = Connection(
        conf["broker_url"], transport=conf["broker_transport"], ssl=conf["broker_use_ssl"]
    )
    assert (broker.ssl or None) == expected
    app = Celery()
    app.config_from_object(conf)
    results: Any = app.backend
    found = {key: value for key, value in results.connparams.items() if key.startswith("ssl")}
    assert (found or None) == expected


def test_no_password_is_shown() -> None:
    """The output of `celery report` and Flower's page of a worker have no password."""
    settings = load_settings(
        None,
        graph_db_uri="bolt://graph",
        vuln_db_uri="mongodb://mongo",
        redis_url="redis://:hunter2@redis",
    )
    app = Celery()
    app.config_from_object(celery_configuration(settings, locate(settings)))
    shown = app.conf.humanize(with_defaults=False)
    assert "result_backend" in shown
    assert "hunter2" not in shown


def test_a_silent_broker_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command on a half-open connection ends, so that the process connects again."""
    monkeypatch.setattr(configuration, "BROKER_TIMEOUT", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:  # it accepts, and never responds
        port = silent.getsockname()[1]
        settings = load_settings(
            None,
            graph_db_uri="bolt://graph",
            vuln_db_uri="mongodb://mongo",
            redis_url=f"redis://127.0.0.1:{port}",
        )
        conf = celery_configuration(settings, locate(settings))
        options = {**conf["broker_transport_options"], "max_retries": 1}
        with (
            Connection(conf["broker_url"], transport_options=options) as connection,
            pytest.raises(OperationalError, match="Timeout"),
        ):
            connection.default_channel.client.ping()  # type: ignore[attr-defined]
