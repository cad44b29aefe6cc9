"""What the cluster does around the pods: drains, connections and the number of workers."""

from collections.abc import Iterable
from typing import Any

from scripts.kubernetes_manifests.objects import (
    METRICS_PORT,
    NAME,
    REDIS,
    Document,
    labels,
    metadata,
)
from ssc_ingest.ecosystems import ecosystems
from ssc_ingest.work.names import URGENCIES, queue_name

WAITING = {"urgent": 32, "fresh": 500, "bulk": 500}
"""Messages of a queue per worker, above which another worker starts."""

MAX_WORKERS = 3
"""Of one ecosystem. The registries' rates limit them: one worker handles 100 packages a second."""


def disruption_budget() -> Document:
    """Drains evict one worker at a time; workers that are not ready never block a drain."""
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": metadata(f"{NAME}-workers"),
        "spec": {
            "maxUnavailable": 1,
            "unhealthyPodEvictionPolicy": "AlwaysAllow",
            "selector": {"matchLabels": {f"{NAME}/role": "worker"}},
        },
    }


def network_policies() -> Iterable[Document]:
    """Who may connect to what; Redis is the door to the workers."""
    ours = {"podSelector": {"matchLabels": {"app.kubernetes.io/part-of": NAME}}}

    def policy(name: str, selector: dict[str, Any], **rules: Any) -> Document:
        return {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": metadata(name),
            "spec": {"podSelector": {"matchLabels": selector}, **rules},
        }

    def namespace(name: str) -> Document:
        return {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}}}

    def tcp(*ports: int) -> list[Document]:
        return [{"protocol": "TCP", "port": port} for port in ports]

    yield policy(
        NAME,
        {"app.kubernetes.io/part-of": NAME},
        policyTypes=["Ingress", "Egress"],
        ingress=[{"from": [namespace("monitoring")], "ports": tcp(METRICS_PORT)}],
        egress=[
            {"ports": [{"protocol": protocol, "port": 53} for protocol in ("UDP", "TCP")]},
            {"to": [ours], "ports": tcp(6379)},
            # Neo4j and MongoDB, in whichever namespace.
            {"to": [{"namespaceSelector": {}}], "ports": tcp(7687, 27017)},
            # Registries: public addresses only.
            {
                "to": [
                    {
                        "ipBlock": {
                            "cidr": "0.0.0.0/0",
                            "except": [
                                *("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"),
                                *("100.64.0.0/10", "169.254.0.0/16"),
                            ],
                        }
                    },
                    {"ipBlock": {"cidr": "::/0", "except": ["fc00::/7", "fe80::/10"]}},
                ],
                "ports": tcp(443),
            },
        ],
    )
    # For KEDA, and for services of this namespace that write the stream with the password.
    yield policy(
        REDIS,
        labels(REDIS),
        policyTypes=["Ingress"],
        ingress=[{"from": [{"podSelector": {}}, namespace("keda")], "ports": tcp(6379)}],
    )


def autoscalers() -> Iterable[Document]:
    """KEDA: workers of an ecosystem by the length of its queues.

    Of several triggers the largest number counts. KEDA sees neither taken nor running work, so at
    least one worker always runs.
    """
    yield {
        "apiVersion": "keda.sh/v1alpha1",
        "kind": "TriggerAuthentication",
        "metadata": metadata(REDIS),
        "spec": {
            "secretTargetRef": [{"parameter": "password", "name": NAME, "key": "redis_password"}]
        },
    }
    for name in ecosystems():
        yield {
            "apiVersion": "keda.sh/v1alpha1",
            "kind": "ScaledObject",
            "metadata": metadata(f"worker-{name}"),
            "spec": {
                "scaleTargetRef": {"name": f"worker-{name}"},
                "minReplicaCount": 1,
                "maxReplicaCount": MAX_WORKERS,
                "pollingInterval": 30,
                # A stopped worker returns its tasks, but each stop costs some repeated requests.
                "advanced": {
                    "horizontalPodAutoscalerConfig": {
                        "behavior": {"scaleDown": {"stabilizationWindowSeconds": 900}}
                    }
                },
                "triggers": [
                    {
                        "type": "redis",
                        "metadata": {
                            "address": f"{REDIS}:6379",
                            "databaseIndex": "1",
                            "listName": queue_name(name, urgency),
                            "listLength": str(WAITING[urgency]),
                        },
                        "authenticationRef": {"name": REDIS},
                    }
                    for urgency in URGENCIES
                ],
            },
        }
