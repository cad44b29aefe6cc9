"""Facts of the Kubernetes manifests. CI also validates them by Kubernetes' own schemas."""

import re
import runpy
from pathlib import Path
from typing import Any

import pytest
import yaml

from ssc_ingest.ecosystems import ecosystems
from ssc_ingest.settings import Settings
from ssc_ingest.work.names import URGENCIES, queue_name, queue_names

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy/kubernetes"

SCALED_OBJECT = {
    "scaleTargetRef",
    "minReplicaCount",
    "maxReplicaCount",
    "pollingInterval",
    "advanced",
    "triggers",
}
REDIS_TRIGGER = {"address", "databaseIndex", "listName", "listLength"}
"""Fields of KEDA 2 that are used; Kubernetes' schemas do not contain them."""


def documents(*names: str) -> list[dict[str, Any]]:
    """The documents of files."""
    texts = [(FOLDER / name).read_text() for name in names]
    return [document for text in texts for document in yaml.safe_load_all(text)]


def pods() -> dict[str, dict[str, Any]]:
    """The pod of each Deployment and StatefulSet, by its name."""
    return {
        document["metadata"]["name"]: document["spec"]["template"]
        for document in documents("base/fleet.yaml", "base/redis.yaml")
        if document["kind"] in {"Deployment", "StatefulSet"}
    }


def containers() -> dict[str, dict[str, Any]]:
    """The one container of each pod."""
    return {name: pod["spec"]["containers"][0] for name, pod in pods().items()}


def compose() -> dict[str, Any]:
    """The services of compose that are not of the profile ``databases``."""
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    return {name: service for name, service in services.items() if "profiles" not in service}


def test_files_are_what_the_script_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """`make docs` has nothing to do."""
    monkeypatch.setattr("sys.argv", ["kubernetes_manifests", "--check"])
    with pytest.raises(SystemExit) as stopped:
        runpy.run_module("scripts.kubernetes_manifests", run_name="__main__")
    assert not stopped.value.code


def test_every_file_is_applied() -> None:
    """The kustomizations name every file, and nothing else."""
    (base,) = documents("base/kustomization.yaml")
    (scaled,) = documents("autoscaling/kustomization.yaml")
    files = {str(path.relative_to(FOLDER)) for path in FOLDER.rglob("*.yaml")}
    assert scaled["resources"][0] == "../base"
    named = {f"base/{name}" for name in base["resources"]}
    named |= {f"autoscaling/{name}" for name in scaled["resources"][1:]}
    assert files - named == {"base/kustomization.yaml", "autoscaling/kustomization.yaml"}
    assert named <= files


def test_it_is_the_fleet_of_compose() -> None:
    """The manifests have compose's processes, commands and Redis."""
    assert set(containers()) == set(compose())
    for name, container in containers().items():
        command = compose()[name]["command"]
        if isinstance(command, str):
            words = command.split()
            assert container["command"] == words, name
        else:
            assert container["command"] == [part.replace("$$", "$") for part in command]
            assert container["image"] == compose()[name]["image"]


def test_every_queue_is_read() -> None:
    """Each queue has a Deployment that reads it."""
    read = {
        queue
        for container in containers().values()
        if "--queues" in container["command"]
        for queue in container["command"][container["command"].index("--queues") + 1].split(",")
    }
    assert read == set(queue_names(ecosystems()))


def test_no_probe_restarts_for_an_outage() -> None:
    """What restarts asks the process alone; what asks Redis or the graph restarts nothing."""
    for name, container in containers().items():
        assert "startupProbe" not in container, "it would restart a worker that waits for the graph"
        liveness = container.get("livenessProbe", {})
        match name:
            case "beat":
                assert not liveness
            case "ssc-ingest-redis":
                assert set(liveness) == {"tcpSocket", "periodSeconds"}
            case "flower":
                assert liveness["httpGet"]["path"] == "/healthcheck"
            case "web":
                assert liveness["httpGet"]["path"] == "/healthz"
                assert "readinessProbe" not in container, "it shows which stores are away"
            case _:
                assert liveness["httpGet"]["path"] == "/healthz"
                assert liveness["timeoutSeconds"] > 5, "the endpoint gives up after five seconds"
                assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"


def test_pods_have_no_more_rights_than_they_need() -> None:
    """Pods have no root, no capabilities, no token, and no writable files but volumes."""
    for name, pod in pods().items():
        spec = pod["spec"]
        assert spec["automountServiceAccountToken"] is False, name
        assert spec["enableServiceLinks"] is False, "REDIS_PORT would be a service link"
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        (container,) = spec["containers"]
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert "memory" in container["resources"]["limits"]


def test_secrets_are_files() -> None:
    """No variable has a secret; each pod mounts only those that it reads."""
    (configuration,) = documents("base/configuration.yaml")
    settings = {*Settings.model_fields}
    for name in configuration["data"]:
        assert name.removesuffix("_FILE").lower() in settings, name
    for name, pod in pods().items():
        (container,) = pod["spec"]["containers"]
        variables = {each["name"]: each.get("value", "") for each in container.get("env", [])}
        assert not {n for n in variables if "PASSWORD" in n and not n.endswith("_FILE")}, name
        (secrets,) = [v["secret"] for v in pod["spec"]["volumes"] if v["name"] == "secrets"]
        keys = {item["key"] for item in secrets.get("items", [])}
        if name == "ssc-ingest-redis":
            assert keys == {"redis_password"}
        elif name not in {"flower", "web"}:
            assert keys == {"redis_password", "graph_db_password", "vuln_db_uri"}


def test_running_tasks_get_their_time_to_stop() -> None:
    """Kubernetes kills only after SHUTDOWN_GRACE and the flush of the writer."""
    grace = Settings.model_fields["shutdown_grace"].default
    for name, pod in pods().items():
        if name != "ssc-ingest-redis":
            assert pod["spec"]["terminationGracePeriodSeconds"] >= grace + 10, name


def test_large_temporary_files_fit() -> None:
    """Maven Central's index has 2.6 GB."""
    (tmp,) = [v for v in pods()["control"]["spec"]["volumes"] if v["name"] == "tmp"]
    assert int(tmp["emptyDir"]["sizeLimit"].removesuffix("Gi")) >= 4


def test_drains_evict_one_worker_at_a_time() -> None:
    """The budget selects all workers, and no other pod; a worker that waits blocks no drain."""
    (budget,) = documents("base/disruption.yaml")
    assert budget["spec"]["maxUnavailable"] == 1
    assert budget["spec"]["unhealthyPodEvictionPolicy"] == "AlwaysAllow"
    ((key, value),) = budget["spec"]["selector"]["matchLabels"].items()
    chosen = {name for name, pod in pods().items() if pod["metadata"]["labels"].get(key) == value}
    assert chosen == {n for n, c in containers().items() if "worker" in c["command"]}


def test_workers_scale_with_their_queues() -> None:
    """One autoscaler per ecosystem, by its three lists in the broker's database."""
    scaled = [d for d in documents("autoscaling/keda.yaml") if d["kind"] == "ScaledObject"]
    assert [d["spec"]["scaleTargetRef"]["name"] for d in scaled] == [
        f"worker-{name}" for name in ecosystems()
    ]
    deployments = {d["metadata"]["name"]: d["spec"] for d in documents("base/fleet.yaml")}
    for name, document in zip(ecosystems(), scaled, strict=True):
        spec = document["spec"]
        assert set(spec) == SCALED_OBJECT
        assert spec["minReplicaCount"] >= 1, "KEDA sees neither taken nor running work"
        assert "replicas" not in deployments[f"worker-{name}"], "apply would undo the autoscaler"
        for urgency, trigger in zip(URGENCIES, spec["triggers"], strict=True):
            assert trigger["type"] == "redis"
            assert set(trigger["metadata"]) == REDIS_TRIGGER
            assert trigger["metadata"]["listName"] == queue_name(name, urgency)
            broker = Settings.model_fields["redis_broker_db"].default
            assert trigger["metadata"]["databaseIndex"] == str(broker)
            assert all(isinstance(value, str) for value in trigger["metadata"].values())


def test_redis_is_closed_to_the_outside() -> None:
    """Only this namespace and KEDA connect to it; nothing but metrics is open otherwise."""
    policies = {d["metadata"]["name"]: d["spec"] for d in documents("base/network.yaml")}
    ours = policies["ssc-ingest"]
    assert set(ours["policyTypes"]) == {"Ingress", "Egress"}
    (metrics,) = ours["ingress"]
    assert metrics["ports"] == [{"protocol": "TCP", "port": 9100}]
    (redis,) = policies["ssc-ingest-redis"]["ingress"]
    assert redis["ports"] == [{"protocol": "TCP", "port": 6379}]
    blocks = [
        to["ipBlock"] for rule in ours["egress"] for to in rule.get("to", []) if "ipBlock" in to
    ]
    assert "169.254.0.0/16" in blocks[0]["except"], "the cloud's metadata service"


def test_names_are_valid() -> None:
    """Names of objects are DNS labels, of at most 63 characters."""
    for path in FOLDER.rglob("*.yaml"):
        for document in yaml.safe_load_all(path.read_text()):
            if "metadata" in document:
                assert re.fullmatch(
                    r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", document["metadata"]["name"]
                )
