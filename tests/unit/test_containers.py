"""Facts of the container files that operators depend on. No Docker engine is needed."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from ssc_ingest.ecosystems import ecosystems
from ssc_ingest.settings import Settings
from ssc_ingest.work.names import CONTROL, DEFAULT, URGENCIES, queue_name, queue_names

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
SCRIPTS = Path(sys.executable).parent
REDIS = "ssc-ingest-redis"


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    """docker-compose.yml, parsed, with anchors and merges resolved."""
    content = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    assert isinstance(content, dict)
    return content


@pytest.fixture(scope="module")
def services(compose: dict[str, Any]) -> dict[str, Any]:
    """The services of the file, by name."""
    found = compose["services"]
    assert isinstance(found, dict)
    return found


def our_services(services: dict[str, Any]) -> dict[str, Any]:
    """The services that run this program's image."""
    return {name: service for name, service in services.items() if name != REDIS}


def queues_of(service: dict[str, Any]) -> list[str]:
    """The queues in a service's command; none if it is not a worker."""
    match = re.search(r"--queues (\S+)", str(service["command"]))
    return match[1].split(",") if match else []


def test_compose_file_follows_the_specification() -> None:
    """The Compose file is valid by the Compose Specification's schema."""
    checked = subprocess.run(
        [SCRIPTS / "check-jsonschema", "--builtin-schema", "vendor.compose-spec",
         ROOT / "docker-compose.yml"],
        capture_output=True, text=True, check=False)  # fmt: skip
    assert checked.returncode == 0, checked.stdout


def test_dockerfile_has_no_known_mistakes() -> None:
    """Hadolint finds no problem."""
    checked = subprocess.run(
        [SCRIPTS / "hadolint", ROOT / "Dockerfile"], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stdout


def test_redis_keeps_work_over_a_restart(compose: dict[str, Any], services: dict[str, Any]) -> None:
    """Redis has an append-only file on a named volume, and a health check."""
    redis = services[REDIS]
    assert redis["image"] == "redis:7-alpine"
    assert redis["command"][1:3] == ["--appendonly", "yes"]
    assert redis["volumes"] == ["redis_data:/data"]
    assert "redis_data" in compose["volumes"]
    assert redis["healthcheck"]["test"] == ["CMD", "redis-cli", "ping"]


def test_no_service_answers_to_the_name_of_another(services: dict[str, Any]) -> None:
    """The network has a ``redis`` already: that of the services that write the stream."""
    assert "redis" not in services
    for service in services.values():
        assert "container_name" not in service
        assert "hostname" not in service
    assert "ports" not in services[REDIS]


def test_each_ecosystem_has_a_scalable_worker_service(services: dict[str, Any]) -> None:
    """A worker service reads only its ecosystem's queues, the urgent one first."""
    for name in ecosystems():
        worker = services[f"worker-{name}"]
        assert queues_of(worker) == [queue_name(name, urgency) for urgency in URGENCIES]
        assert "container_name" not in worker
        assert "ports" not in worker
        assert "%h" in worker["command"], "replicas need names of their own"


def test_urgent_work_has_a_worker_of_its_own(services: dict[str, Any]) -> None:
    """One worker reads the urgent queues of all ecosystems, so bulk work never delays them."""
    urgent = [queue_name(name, "urgent") for name in ecosystems()]
    assert queues_of(services["worker-urgent"]) == urgent


def test_control_is_a_process_of_its_own(services: dict[str, Any]) -> None:
    """Control also reads the queue of callers without our configuration."""
    assert queues_of(services["control"]) == [CONTROL, DEFAULT]


def test_every_queue_is_read(services: dict[str, Any]) -> None:
    """Each queue has a service that reads it."""
    read = {queue for service in our_services(services).values() for queue in queues_of(service)}
    assert read == set(queue_names(ecosystems()))


def test_everything_of_the_fleet_runs(services: dict[str, Any]) -> None:
    """Workers, beat and Flower run by Celery's own commands; there is no unknown service."""
    commands = {name: service["command"] for name, service in our_services(services).items()}
    assert commands["beat"].startswith("celery -A workers beat")
    assert commands["flower"].startswith("celery -A workers flower")
    workers = {f"worker-{name}" for name in (*ecosystems(), "urgent")}
    assert set(commands) == workers | {"control", "beat", "flower"}
    assert all(commands[name].startswith("celery -A workers worker") for name in workers)


def test_start_is_ordered_by_health(services: dict[str, Any]) -> None:
    """Redis starts first, then workers, then Flower; every dependency has a health check."""
    for name, service in our_services(services).items():
        assert service["depends_on"][REDIS] == {"condition": "service_healthy"}, name
        for dependency, condition in service["depends_on"].items():
            assert condition == {"condition": "service_healthy"}
            assert "healthcheck" in services[dependency], dependency
    workers = {name for name, service in services.items() if queues_of(service)}
    assert workers <= set(services["flower"]["depends_on"])


def test_health_checks_run_what_is_in_the_image(services: dict[str, Any]) -> None:
    """The module of each check exists."""
    checks = [service["healthcheck"]["test"] for service in our_services(services).values()]
    modules = {check[3] for check in checks if check[1:3] == ["python", "-m"]}
    assert modules
    assert all(map(importlib.util.find_spec, modules))


def test_every_process_says_whether_it_works(services: dict[str, Any]) -> None:
    """Workers are checked by their messages, beat by its rounds."""
    for name, service in services.items():
        assert "healthcheck" in service, name
        if name not in {REDIS, "flower"}:
            kind = "beat" if name == "beat" else "worker"
            test = ["CMD", "python", "-m", "ssc_ingest.health", kind]
            assert service["healthcheck"]["test"] == test, name


def test_metrics_are_told_inside_the_network(services: dict[str, Any]) -> None:
    """All containers use the same port, which is not published."""
    for name, service in our_services(services).items():
        environment = service["environment"]
        assert (environment["METRICS_HOST"], environment["METRICS_PORT"]) == ("0.0.0.0", "9100")  # noqa: S104
        assert not any("9100" in str(port) for port in service.get("ports", [])), name


def test_everything_comes_back_by_itself(services: dict[str, Any]) -> None:
    """Services restart unless an operator stopped them."""
    assert {service["restart"] for service in services.values()} == {"unless-stopped"}


def test_running_tasks_get_their_time_to_stop(services: dict[str, Any]) -> None:
    """Docker kills only after SHUTDOWN_GRACE and the flush of the writer."""
    grace = Settings.model_fields["shutdown_grace"].default
    for service in our_services(services).values():
        period = re.fullmatch(r"(\d+)s", service["stop_grace_period"])
        assert period is not None
        assert int(period[1]) >= grace + 10


def test_nothing_listens_beyond_this_machine(services: dict[str, Any]) -> None:
    """Published ports are bound to loopback."""
    ports = [port for service in services.values() for port in service.get("ports", [])]
    assert len(ports) == 1
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_flower_demands_a_password(services: dict[str, Any]) -> None:
    """Compose refuses to start without one, and names the variable."""
    credentials = services["flower"]["environment"]["FLOWER_BASIC_AUTH"]
    assert re.fullmatch(r"\$\{FLOWER_USER:-admin\}:\$\{FLOWER_PASSWORD:\?set it .+\}", credentials)


def test_graph_and_vulnerabilities_come_from_the_network(
    compose: dict[str, Any], services: dict[str, Any]
) -> None:
    """The external network has them; .env can change their addresses, but not that of Redis."""
    assert compose["networks"] == {"securechain": {"external": True}}
    for name, service in services.items():
        assert service["networks"] == ["securechain"], name
    for service in our_services(services).values():
        environment = service["environment"]
        assert environment["GRAPH_DB_URI"] == "${GRAPH_DB_URI:-bolt://neo4j:7687}"
        assert environment["VULN_DB_URI"] == "${VULN_DB_URI:-mongodb://mongo:27017}"
        assert environment["REDIS_URL"] == f"redis://{REDIS}:6379"


def test_containers_have_no_more_rights_than_they_need(services: dict[str, Any]) -> None:
    """Containers have no capabilities, cannot get new ones, and have an init process."""
    for name, service in our_services(services).items():
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["init"] is True, name


def test_logs_do_not_fill_the_disk(services: dict[str, Any]) -> None:
    """Docker keeps five files of 5 MiB of each container."""
    for service in services.values():
        assert service["logging"]["options"] == {"max-size": "5m", "max-file": "5"}


def test_image_is_small_and_not_root() -> None:
    """The last stage has no installer and runs as a numeric non-root user."""
    last = DOCKERFILE.split("\nFROM ")[-1]
    assert "FROM python:3.13-slim AS build" in DOCKERFILE
    assert last.startswith("python:3.13-slim\n")
    assert "uv " not in last
    assert "pip" not in last
    assert re.search(r"^USER 10001$", last, re.MULTILINE)
    assert "PYTHONUNBUFFERED=1" in last
    assert 'org.opencontainers.image.licenses="Apache-2.0"' in last


def test_image_is_built_from_the_lock() -> None:
    """All versions are from the lock, without development tools and private servers."""
    syncs = re.findall(r"uv sync [^\n]*", DOCKERFILE)
    assert syncs
    for sync in syncs:
        assert "--frozen" in sync
        assert "--no-dev" in sync
        assert "--extra" not in sync
    assert "--require-hashes -r scripts/uv.txt" in DOCKERFILE
