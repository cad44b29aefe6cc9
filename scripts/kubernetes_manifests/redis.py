"""The Redis of the fleet."""

from collections.abc import Iterable

import yaml

from scripts.kubernetes_manifests.objects import (
    CONFINED,
    REDIS,
    ROOT,
    SECRETS,
    Document,
    labels,
    metadata,
    pod_defaults,
    resources,
    secret_volume,
)


def redis() -> Iterable[Document]:
    """One Redis that persists its data; compose's script of start, health by PONG."""
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
    service = compose["services"][REDIS]
    shell, options, script = (part.replace("$$", "$") for part in service["command"])
    ping = service["healthcheck"]["test"][1].replace("$$", "$")
    container = {
        "name": "redis",
        "image": service["image"],
        "command": [shell, options, script],
        "env": [{"name": "REDIS_PASSWORD_FILE", "value": f"{SECRETS}/redis_password"}],
        "ports": [{"name": "redis", "containerPort": 6379}],
        "volumeMounts": [
            {"name": "data", "mountPath": "/data"},
            {"name": "secrets", "mountPath": SECRETS, "readOnly": True},
        ],
        "readinessProbe": {
            "exec": {"command": ["sh", "-c", ping]},
            "periodSeconds": 10,
            "timeoutSeconds": 3,
        },
        # A port only: while it reads its file it refuses commands, and a restart would not help.
        "livenessProbe": {"tcpSocket": {"port": "redis"}, "periodSeconds": 30},
        "resources": resources("250m", "512Mi", "2Gi"),
        "securityContext": CONFINED,
        "workingDir": "/data",
    }
    yield {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata(REDIS),
        "spec": {
            "clusterIP": "None",
            "selector": labels(REDIS),
            "ports": [{"name": "redis", "port": 6379}],
        },
    }
    yield {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": metadata(REDIS),
        "spec": {
            "serviceName": REDIS,
            "replicas": 1,
            "selector": {"matchLabels": labels(REDIS)},
            "template": {
                "metadata": {"labels": labels(REDIS)},
                "spec": {
                    **pod_defaults(user=999, group=1000),
                    "containers": [container],
                    "volumes": [secret_volume("redis_password")],
                },
            },
            "volumeClaimTemplates": [
                {
                    "metadata": {"name": "data"},
                    "spec": {
                        "accessModes": ["ReadWriteOnce"],
                        "resources": {"requests": {"storage": "10Gi"}},
                    },
                }
            ],
        },
    }
