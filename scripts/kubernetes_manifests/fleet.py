"""The program's own pods: workers, beats and dashboards."""

from collections.abc import Iterable
from typing import Any

from scripts.kubernetes_manifests.objects import (
    CONFINED,
    METRICS_PORT,
    NAME,
    SECRETS,
    Document,
    labels,
    metadata,
    pod_defaults,
    resources,
    secret_volume,
)
from ssc_ingest.ecosystems import ecosystems
from ssc_ingest.work.names import CONTROL, DEFAULT, URGENCIES, queue_name

FLOWER_PORT = 5555
WEB_PORT = 5556
TMP = "/tmp"  # noqa: S108 - of the container, an empty volume
USER = 10001


def workers() -> Iterable[Document]:
    """One Deployment per ecosystem, one for urgent work, and control."""
    names = list(ecosystems())
    for name in names:
        yield worker(f"worker-{name}", name, [queue_name(name, urgency) for urgency in URGENCIES])
    urgent = [queue_name(name, "urgent") for name in names]
    yield worker("worker-urgent", "urgent", urgent, replicas=2)
    yield worker("control", "control", [CONTROL, DEFAULT], replicas=2, scratch="8Gi")


def worker(
    name: str, host: str, queues: list[str], *, replicas: int | None = None, scratch: str = "256Mi"
) -> Document:
    """A worker of these queues; without ``replicas`` an autoscaler may choose their number."""
    command = [
        *("celery", "-A", "workers", "worker", "--without-mingle"),
        *("--hostname", f"{host}@%h", "--queues", ",".join(queues)),
    ]
    probe = {"periodSeconds": 20, "timeoutSeconds": 8, "failureThreshold": 3}
    return deployment(
        name,
        command,
        replicas=replicas,
        memory=("256Mi", "1Gi"),
        scratch=scratch,
        role="worker",
        ports=[{"name": "metrics", "containerPort": METRICS_PORT}],
        # /healthz never fails because Redis or the graph is away, or while the worker waits for
        # them at its start. /readyz does, which restarts nothing.
        livenessProbe={
            "httpGet": {"path": "/healthz", "port": "metrics"},
            "initialDelaySeconds": 60,
            **probe,
        },
        readinessProbe={"httpGet": {"path": "/readyz", "port": "metrics"}, **probe},
    )


def beat() -> Document:
    """Two beats: one fires the schedules, the other stands by.

    Its check reads its heartbeat in Redis, so it must not restart it: there is no liveness probe.
    """
    check = ["python", "-m", "ssc_ingest.health", "beat"]
    return deployment(
        "beat",
        ["celery", "-A", "workers", "beat"],
        replicas=2,
        memory=("128Mi", "256Mi"),
        readinessProbe={"exec": {"command": check}, "periodSeconds": 60, "timeoutSeconds": 10},
    )


def flower() -> Document:
    """The dashboard of workers and tasks; ``kubectl port-forward service/flower 5555``."""
    command = [
        *("celery", "-A", "workers", "flower", "--address=0.0.0.0"),
        *(f"--port={FLOWER_PORT}", "--max-tasks=10000"),
    ]
    return dashboard("flower", command, FLOWER_PORT, health="/healthcheck")


def web() -> Document:
    """The overview page; ``kubectl port-forward service/web 5556``."""
    command = ["ssc-ingest", "web", "--address=0.0.0.0", f"--port={WEB_PORT}"]
    return dashboard("web", command, WEB_PORT, health="/healthz")


def dashboard(name: str, command: list[str], port: int, *, health: str) -> Document:
    """A web server for people, with the password of Flower."""
    document = deployment(
        name,
        command,
        replicas=1,
        memory=("192Mi", "512Mi"),
        ports=[{"name": "http", "containerPort": port}],
        livenessProbe={
            "httpGet": {"path": health, "port": "http"},
            "initialDelaySeconds": 60,
            "periodSeconds": 30,
            "timeoutSeconds": 10,
        },
    )
    pod = document["spec"]["template"]["spec"]
    pod["containers"][0]["env"].append(
        {"name": "FLOWER_PASSWORD_FILE", "value": f"{SECRETS}/flower_password"}
    )
    pod["volumes"] = [v if v["name"] != "secrets" else secret_volume() for v in pod["volumes"]]
    return document


def dashboard_service(name: str, port: int) -> Document:
    """Inside the cluster only."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata(name),
        "spec": {
            "selector": labels(name),
            "ports": [{"name": "http", "port": port, "targetPort": "http"}],
        },
    }


def deployment(
    name: str,
    command: list[str],
    *,
    replicas: int | None,
    memory: tuple[str, str],
    scratch: str = "64Mi",
    role: str | None = None,
    **container: Any,
) -> Document:
    """A Deployment of this program's image."""
    marks = {**labels(name), **({f"{NAME}/role": role} if role else {})}
    scrape = {
        "prometheus.io/scrape": "true",
        "prometheus.io/port": str(METRICS_PORT),
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": metadata(name),
        "spec": {
            **({"replicas": replicas} if replicas else {}),
            "selector": {"matchLabels": labels(name)},
            "template": {
                "metadata": {"labels": marks, **({"annotations": scrape} if role else {})},
                "spec": {
                    **pod_defaults(user=USER, group=USER),
                    # Above SHUTDOWN_GRACE, so that running tasks end or return to their queue.
                    "terminationGracePeriodSeconds": 60,
                    "topologySpreadConstraints": [
                        {
                            "maxSkew": 1,
                            "topologyKey": "kubernetes.io/hostname",
                            "whenUnsatisfiable": "ScheduleAnyway",
                            "labelSelector": {"matchLabels": labels(name)},
                        }
                    ],
                    "containers": [
                        {
                            "name": name,
                            "image": NAME,
                            "command": command,
                            "envFrom": [{"configMapRef": {"name": NAME}}],
                            "env": [{"name": "TMPDIR", "value": TMP}],
                            "resources": resources("250m", *memory),
                            "securityContext": CONFINED,
                            "volumeMounts": [
                                {"name": "tmp", "mountPath": TMP},
                                {"name": "secrets", "mountPath": SECRETS, "readOnly": True},
                            ],
                            **container,
                        }
                    ],
                    "volumes": [
                        {"name": "tmp", "emptyDir": {"sizeLimit": scratch}},
                        secret_volume("redis_password", "graph_db_password", "vuln_db_uri"),
                    ],
                },
            },
        },
    }
