"""Beat's scheduler: redbeat's, with switches that are remembered and a lock that it outlives.

redbeat writes its entries anew from the configuration when beat starts, and so forgets what was
switched off at run time; here a switch is looked at when an entry fires
(:mod:`ssc_ingest.control.schedules`). Of several beats one leads; the others look every few seconds
whether its lock has expired, and say meanwhile that they are there.
"""

import os
import socket
import time
from typing import Any

import structlog
from redbeat import RedBeatScheduler
from redbeat.schedulers import ensure_conf, get_redis
from redis import Redis
from redis.exceptions import LockError, RedisError
from redis.lock import Lock

from ssc_ingest.control.schedules import FIRED, SWITCHES, is_on
from ssc_ingest.monitoring.heartbeats import BEAT_LOCK, GONE_AFTER, Beat

log = structlog.get_logger(__name__)


class Scheduler(RedBeatScheduler):  # type: ignore[misc] # redbeat has no types
    """Emits what is due and switched on; named in the configuration."""

    def __init__(self, app: Any, **kwargs: Any) -> None:
        # redbeat's own setting has no password: Flower and `celery report` would show it. This one
        # is of the same database, and they know that it has a secret.
        ensure_conf(app)
        app.redbeat_conf.redis_url = app.conf.result_backend
        super().__init__(app, **kwargs)
        # Without redbeat's repetitions: what fails is looked at again in the next round, and
        # a beat that is asked to stop while Redis is away stops.
        self._redis: Redis = get_redis(app).wrapped_connection
        self._lease: Lock = self._redis.lock(
            BEAT_LOCK, timeout=self.lock_timeout, thread_local=False
        )
        self._leads: bool | None = None
        self._closed = False

    def tick(self, **kwargs: Any) -> float:
        """Emit what is due, if this beat leads; returns the seconds until the next look.

        Raises:
            SystemExit: beat was asked to stop. Celery's handler of the signal has raised that, but
                Python drops it where it comes in a callback of a weak reference or a finalizer.
        """
        if self._closed:
            raise SystemExit
        try:
            self._renew()
            self._say_that_it_lives()
            if self._leads:
                return float(super().tick(**kwargs))
        except RedisError as error:
            # What is due now is due as soon as Redis is back: it knows what fired when.
            log.warning("state_unavailable", error=str(error))
        return float(self.max_interval)

    def maybe_due(self, entry: Any, **kwargs: Any) -> float:
        """Emit an entry that is due, or pass over it because it is switched off."""
        is_due, seconds = entry.is_due()
        switch: Any = self._redis.hget(SWITCHES, entry.name) if is_due else None
        if is_due and not is_on(entry.name, switch):
            log.info("schedule_skipped", schedule=entry.name)
            self.reserve(entry)
            return float(seconds)
        return float(super().maybe_due(entry, **kwargs))

    def apply_async(self, entry: Any, **kwargs: Any) -> Any:
        """Send an entry's task, and note when."""
        result = super().apply_async(entry, **kwargs)
        self._redis.hset(FIRED, entry.name, time.time())
        return result

    def close(self) -> None:
        """Let another beat lead at once; the signal's handler calls this."""
        self._closed = True
        try:
            if self._leads:
                self._lease.release()
            self._redis.delete(self._about().key)
        except RedisError as error:
            log.warning("state_unavailable", error=str(error))
        super().close()

    def _renew(self) -> None:
        """Keep the lock, or try to get it."""
        leads = False
        try:
            if self._leads:
                leads = self._lease.reacquire()
        except LockError:
            pass  # it expired while Redis was away or this process was stopped
        leads = leads or self._lease.acquire(blocking=False)
        if leads and not self._leads:
            log.info("beat_leads")
        elif not leads and self._leads is not False:
            log.info("beat_stands_by")
        self._leads = leads

    def _say_that_it_lives(self) -> None:
        about = self._about()
        self._redis.set(about.key, about.encode(), ex=GONE_AFTER)

    def _about(self) -> Beat:
        return Beat(
            hostname=socket.gethostname(),
            pid=os.getpid(),
            leads=bool(self._leads),
            schedules=tuple(sorted(self.app.conf.beat_schedule)),
            seen_at=time.time(),
        )
