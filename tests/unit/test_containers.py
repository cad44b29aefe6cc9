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
from ssc_ingest.settings import Settings, is_secret
from ssc_ingest.work.names import CONTROL, DEFAULT, URGENCIES, queue_name, queue_names

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
SCRIPTS = Path(sys.executable).parent
REDIS = "ssc-ingest-redis"
DATABASES = {"neo4j", "mongo"}
"""Services of the profile ``databases``."""

SIZES = {"k": 1 << 10, "m": 1 << 20, "g": 1 << 30}


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
    return {n: service for n, service in services.items() if n not in {REDIS, *DATABASES}}


def secrets() -> set[str]:
    """The settings that may be in files."""
    return {name.upper() for name, field in Settings.model_fields.items() if is_secret(field)}


def queues_of(service: dict[str, Any]) -> list[str]:
    """The queues in a service's command; none if it is not a worker."""
    match = re.search(r"--queues (\S+)", str(service.get("command")))
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
    """Redis syncs each write to a file on a named volume, and has a health check."""
    redis = services[REDIS]
    assert redis["command"][:2] == ["sh", "-euc"]
    assert "\nappendonly yes\nappendfsync always\n" in redis["command"][2]
    assert redis["volumes"] == ["redis_data:/data"]
    assert "redis_data" in compose["volumes"]
    assert "redis-cli ping" in redis["healthcheck"]["test"][1]


def test_no_service_answers_to_the_name_of_another(services: dict[str, Any]) -> None:
    """The network has a ``redis`` already: that of the services that write the stream."""
    assert "redis" not in services
    for service in services.values():
        assert "container_name" not in service
        assert "hostname" not in service
    for name in (REDIS, *DATABASES):
        assert "ports" not in services[name]
    assert all(services[name]["profiles"] == ["databases"] for name in DATABASES)


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
    """Celery's own commands run all but the page; there is no unknown service."""
    commands = {name: service["command"] for name, service in our_services(services).items()}
    assert commands["beat"].startswith("celery -A workers beat")
    assert commands["flower"].startswith("celery -A workers flower")
    workers = {f"worker-{name}" for name in (*ecosystems(), "urgent")}
    assert set(commands) == workers | {"control", "beat", "flower", "web"}
    assert commands["web"].startswith("ssc-ingest web ")
    assert all(commands[name].startswith("celery -A workers worker") for name in workers)


def test_start_is_ordered_by_health(services: dict[str, Any]) -> None:
    """Redis starts first; every dependency has a health check."""
    for name, service in our_services(services).items():
        assert service["depends_on"][REDIS] == {"condition": "service_healthy"}, name
        for dependency, condition in service["depends_on"].items():
            assert condition == {"condition": "service_healthy"}
            assert "healthcheck" in services[dependency], dependency


def test_flower_does_not_wait_for_workers(services: dict[str, Any]) -> None:
    """A worker may wait for an hour for the graph; Flower shows what is running meanwhile."""
    assert set(services["flower"]["depends_on"]) == {REDIS}


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
        if name not in {REDIS, *DATABASES, "flower", "web"}:
            check = ["beat"] if name == "beat" else ["worker", "--port=9100"]
            test = ["CMD", "python", "-m", "ssc_ingest.health", *check]
            assert service["healthcheck"]["test"] == test, name


def test_health_checks_are_cheap(services: dict[str, Any]) -> None:
    """Every check is a new process: twelve containers must not burn a core with them."""
    for name, service in services.items():
        check = service["healthcheck"]
        start = 2 if name == REDIS else 5  # its check is a small C program
        assert int(check["start_interval"].removesuffix("s")) >= start, name
        assert int(check["interval"].removesuffix("s")) >= 5 * start, name


def test_wrong_configuration_is_not_restarted_for_ever(services: dict[str, Any]) -> None:
    """Docker restarts whatever ends; the supervisor does not end after exit code 78.

    It also restarts workers that do not work any more, about which Docker does nothing.
    """
    supervise = ["python", "-m", "ssc_ingest.containers.supervise"]
    for name, service in our_services(services).items():
        port = ["--port=9100"] if queues_of(service) else []
        assert service["entrypoint"] == [*supervise, *port], name
    assert importlib.util.find_spec(supervise[-1])


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
    assert len(ports) == 2
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_flower_demands_a_password(services: dict[str, Any]) -> None:
    """Compose refuses to start without one, and names the variable."""
    credentials = services["flower"]["environment"]["FLOWER_BASIC_AUTH"]
    assert re.fullmatch(r"\$\{FLOWER_USER:-admin\}:\$\{FLOWER_PASSWORD:\?set it .+\}", credentials)
    password = services["web"]["environment"]["FLOWER_PASSWORD"]
    assert re.fullmatch(r"\$\{FLOWER_PASSWORD:\?set it .+\}", password)


def test_graph_and_vulnerabilities_come_from_the_network(
    compose: dict[str, Any], services: dict[str, Any]
) -> None:
    """The external network has them; .env can change their addresses, but not that of Redis."""
    assert compose["networks"] == {"securechain": {"external": True}}
    for name, service in services.items():
        assert service["networks"] == ["securechain"], name
    for service in our_services(services).values():
        environment = service["environment"]
        assert service["networks"] == ["securechain"]
        assert environment["GRAPH_DB_URI"] == "${GRAPH_DB_URI:-bolt://neo4j:7687}"
        assert environment["VULN_DB_URI"] == "${VULN_DB_URI:-mongodb://mongo:27017}"
        address = {name: environment[f"REDIS_{name}"] for name in ("HOST", "PORT", "URL")}
        assert address == {"HOST": REDIS, "PORT": "6379", "URL": ""}, "REDIS_URL would win"


def test_redis_demands_a_password(services: dict[str, Any]) -> None:
    """Compose refuses to start without one; server, clients and health check have the same."""
    for name, service in services.items():
        if name not in DATABASES:
            password = service["environment"]["REDIS_PASSWORD"]
            assert re.fullmatch(r"\$\{REDIS_PASSWORD:\?set it .+\}", password), name


def test_containers_have_no_more_rights_than_they_need(services: dict[str, Any]) -> None:
    """Containers have no capabilities, cannot get new ones, and have an init process."""
    for name, service in services.items():
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["init"] is True, name
        assert "cap_add" not in service, name
        assert "privileged" not in service, name


def test_containers_write_to_volumes_and_memory_only(services: dict[str, Any]) -> None:
    """Root file systems are read-only; Neo4j's start script alone has to write to its own."""
    assert {n for n, service in services.items() if not service["read_only"]} == {"neo4j"}
    for name, service in services.items():
        assert name == "neo4j" or any(t.startswith("/tmp:size=") for t in service["tmpfs"]), name  # noqa: S108


def test_containers_have_limits(services: dict[str, Any]) -> None:
    """Memory and processes have limits: a leak must not take the machine down."""
    for name, service in services.items():
        assert service["pids_limit"] <= 512, name
        limit = re.fullmatch(r"(?:\$\{\w+:-)?(\d+)([kmg])\}?", service["mem_limit"])
        assert limit, name
        size = int(limit[1]) * SIZES[limit[2]]
        if queues_of(service):
            assert size >= 500 << 20, "the tests of large packages allow 500 MB"


def test_bulk_work_leaves_the_processor_to_others(services: dict[str, Any]) -> None:
    """As under ``up``: only workers of bulk queues have a smaller share than Docker's default."""
    shares = {name: service.get("cpu_shares", 1024) for name, service in services.items()}
    bulk = {
        name
        for name, service in services.items()
        if any(queue.endswith(".bulk") for queue in queues_of(service))
    }
    assert {name for name, share in shares.items() if share < 1024} == bulk


def test_large_temporary_files_are_on_a_volume(
    compose: dict[str, Any], services: dict[str, Any]
) -> None:
    """Control downloads indexes and dumps of gigabytes, which do not fit into memory."""
    folder = services["control"]["environment"]["TMPDIR"]
    assert f"scratch:{folder}" in services["control"]["volumes"]
    assert "scratch" in compose["volumes"]
    assert f"--owner 10001 {folder}" in DOCKERFILE, "a new volume has the owner of the folder"


def test_images_are_pinned(services: dict[str, Any]) -> None:
    """Down to the patch: a rebuild next year gets the same programs."""
    images = {service["image"] for service in services.values()} - {"ssc-ingest:latest"}
    images |= set(re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE))
    for file in (ROOT / "deploy").rglob("*.y*ml"):
        images |= set(re.findall(r"\bimage: (\S+)", file.read_text()))
    images.remove("ssc-ingest")  # kustomization.yaml has its tag
    assert len(images) == 6
    for image in images:
        assert re.fullmatch(r"[a-z0-9/]+:v?\d+\.\d+\.\d+(-[a-z-]+)?", image), image


def test_databases_are_those_of_the_readers(services: dict[str, Any]) -> None:
    """Neo4j 5.26 with APOC and MongoDB 8 have the sizes of the readers' stack as defaults."""
    neo4j, mongo = services["neo4j"], services["mongo"]
    assert neo4j["image"].startswith("neo4j:5.26.")
    assert neo4j["environment"]["NEO4J_PLUGINS"] == '["apoc"]'
    assert neo4j["environment"]["NEO4J_server_memory_heap_max__size"] == "${NEO4J_HEAP:-1g}"
    assert neo4j["environment"]["NEO4J_server_memory_pagecache_size"].endswith(":-512m}")
    assert mongo["image"].startswith("mongo:8.")
    assert neo4j["volumes"] == ["neo4j_data:/data"]
    assert "mongo_data:/data/db" in mongo["volumes"]


def test_secrets_may_be_files(services: dict[str, Any]) -> None:
    """The second file replaces every secret of the first, in every service that has it."""

    class Loader(yaml.SafeLoader):
        pass

    Loader.add_constructor("!reset", lambda *_: None)
    text = (ROOT / "deploy/compose.secrets.yml").read_text()
    files: dict[str, Any] = yaml.load(text, Loader)  # noqa: S506 - a subclass of the safe one
    assert set(files["services"]) == {REDIS, *our_services(services)}
    for name, service in files["services"].items():
        environment = service["environment"]
        for variable, value in environment.items():
            if variable.endswith("_FILE"):
                assert value == f"/run/secrets/{variable.removesuffix('_FILE').lower()}"
                assert value.removeprefix("/run/secrets/") in service["secrets"]
                assert environment.get(variable.removesuffix("_FILE"), "") == "", variable
                assert name == REDIS or variable.removesuffix("_FILE") in secrets(), variable
        assert set(service["secrets"]) <= set(files["secrets"])
    assert files["services"]["flower"]["environment"]["FLOWER_BASIC_AUTH"] is None


def test_logs_do_not_fill_the_disk(services: dict[str, Any]) -> None:
    """Docker keeps five files of 5 MiB of each container."""
    for service in services.values():
        assert service["logging"]["options"] == {"max-size": "5m", "max-file": "5"}


def test_image_is_small_and_not_root() -> None:
    """The last stage has no installer and runs as a numeric non-root user."""
    last = DOCKERFILE.split("\nFROM ")[-1]
    assert re.search(r"^FROM python:3\.13\.\d+-slim-\w+ AS build$", DOCKERFILE, re.MULTILINE)
    assert re.match(r"python:3\.13\.\d+-slim-\w+\n", last)
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
