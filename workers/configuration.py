"""Celery's configuration, derived from the settings. Reasons: docs/operations.md."""

from ssl import CERT_REQUIRED
from typing import Any
from urllib.parse import urlsplit

import beat_schedule
from ssc_ingest.servers import Servers
from ssc_ingest.settings import Settings
from ssc_ingest.work.names import DEFAULT
from workers.routing import route, task_queues

RESTORE_EVERY = 5
"""Seconds between checks for messages of killed workers, which are delivered again at most this
long after the visibility timeout."""

BROKER_TIMEOUT = 15.0
"""Seconds until a command to a broker that no longer responds fails. Without a limit, one command
on a half-open connection stops a worker, beat or publisher for ever."""

BEAT_INTERVAL = 5
"""Seconds between beat's rounds."""


def celery_configuration(settings: Settings, servers: Servers) -> dict[str, Any]:
    """All of Celery's settings that differ from its defaults."""
    visibility = {"visibility_timeout": settings.visibility_timeout}
    state_url = servers.redis(settings.redis_state_db)
    return {
        # Where.
        "broker_url": servers.redis(settings.redis_broker_db),
        "broker_transport": "workers.overrides.transport:Transport",
        "broker_use_ssl": _tls(servers),
        "result_backend": state_url,
        "redis_backend_use_ssl": _tls(servers),
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,
        # Error responses of Redis are temporary, too: it became a replica, its disk is full, a
        # script blocks it.
        "broker_channel_error_retry": True,
        "broker_transport_options": {
            **visibility,
            "unacked_restore_interval": RESTORE_EVERY,
            "unacked_restore_throttle": 1,
            # kombu's default is 300; a worker that is killed during a restore holds the mutex for
            # this time.
            "unacked_mutex_expire": RESTORE_EVERY,
            "priority_steps": [0],
            "queue_order_strategy": "workers.routing:UrgencyCycle",
            "socket_keepalive": True,
            "socket_timeout": BROKER_TIMEOUT,
            "socket_connect_timeout": BROKER_TIMEOUT,
            "retry_on_timeout": True,
            "health_check_interval": 25,
        },
        "result_backend_transport_options": visibility,
        "visibility_timeout": settings.visibility_timeout,
        "redis_socket_keepalive": True,
        "redis_retry_on_timeout": True,
        # What.
        "task_queues": task_queues(),
        "task_routes": (route,),
        "task_default_queue": DEFAULT,
        "task_create_missing_queues": False,
        "accept_content": ["json"],
        "task_serializer": "json",
        "result_serializer": "json",
        # Delivery: at least once.
        "task_acks_late": True,
        "task_reject_on_worker_lost": True,
        "worker_prefetch_multiplier": 1,
        "worker_cancel_long_running_tasks_on_connection_loss": False,
        # The pool: threads that wait for the event loop of the process.
        "worker_pool": "threads",
        "worker_concurrency": settings.worker_concurrency,
        "worker_eta_task_limit": 1000,
        # Results: only those of runs and of replays are stored.
        "task_ignore_result": True,
        "task_store_errors_even_if_ignored": False,
        "result_expires": 24 * 3600,
        # For Flower and metrics.
        "worker_consumer": "workers.overrides.consumer:Consumer",
        "worker_send_task_events": True,
        "task_send_sent_event": True,
        "task_track_started": True,
        "worker_hijack_root_logger": False,
        # Time.
        "enable_utc": True,
        "timezone": settings.timezone,
        "beat_scheduler": "workers.overrides.scheduler:Scheduler",
        "beat_schedule": beat_schedule.entries(only_own=settings.schedules == "own"),
        "beat_max_loop_interval": BEAT_INTERVAL,
    }


def _tls(servers: Servers) -> dict[str, Any] | None:
    """TLS options of broker and results.

    kombu derives them for its own transport only, and without verification; Celery requires them.
    Options in the URL have priority.
    """
    if urlsplit(servers.redis_url).scheme != "rediss":
        return None
    return {"ssl_cert_reqs": CERT_REQUIRED}
