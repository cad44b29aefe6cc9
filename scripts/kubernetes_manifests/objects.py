"""What the objects of Kubernetes have in common: names, labels, rights and secrets."""

from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]

NAME = "ssc-ingest"
REDIS = "ssc-ingest-redis"
METRICS_PORT = 9100
SECRETS = "/run/secrets/ssc-ingest"

Document = dict[str, Any]


def metadata(name: str) -> Document:
    """Name and labels of an object."""
    return {"name": name, "labels": labels(name)}


def labels(name: str) -> dict[str, str]:
    """The recommended labels of Kubernetes."""
    return {"app.kubernetes.io/name": name, "app.kubernetes.io/part-of": NAME}


def resources(cpu: str, memory: str, limit: str) -> Document:
    """Requests, and a limit of memory; a limit of CPU would only slow the pod down."""
    return {"requests": {"cpu": cpu, "memory": memory}, "limits": {"memory": limit}}


def secret_volume(*keys: str) -> Document:
    """The Secret ``ssc-ingest`` as files; without keys all of it."""
    items = {"items": [{"key": key, "path": key} for key in keys]} if keys else {}
    return {"name": "secrets", "secret": {"secretName": NAME, "defaultMode": 0o440, **items}}


def pod_defaults(*, user: int, group: int) -> Document:
    """A pod without rights, and without the variables that Kubernetes makes of services."""
    return {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": user,
            "runAsGroup": group,
            "fsGroup": group,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
    }


CONFINED = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}
