"""Beat's scheduler, with its state in Redis, so that beats can replace each other at any time.

Celery's own scheduler stores the last time of each entry in a local file and does not support
several beats. Here one beat holds a lock and fires the entries; the others try to take the lock
every few seconds. A beat has no state in memory: in each round it reads the last time and the
switch of each entry from Redis (:mod:`ssc_ingest.control.schedules`).
"""

import os
import socket
import sys
import time
from contextlib import suppress
from datetime import datetime
from typing import Any

import structlog
from celery import Celery
from celery.beat import ScheduleEntry, SchedulingError
from celery.beat import Scheduler as CeleryScheduler
from kombu.exceptions import OperationalError
from redis import Redis
from redis.exceptions import LockError, RedisError

from ssc_ingest.control.schedules import FIRED, SKIPPED, SWITCHES, is_on
from ssc_ingest.errors import ConfigurationError, StoreRefusesAccess, StoreUnavailable
from ssc_ingest.monitoring.heartbeats import BEAT_LOCK, GONE_AFTER, Beat
from ssc_ingest.work.redis_errors import explain, translated

CLOCK_SKEW = 60.0
"""Seconds by which the clocks of two beats may differ without consequence."""

log = structlog.get_logger(__name__)


class Scheduler(CeleryScheduler):
    """Fires the due and enabled entries; the configuration refers to it by name."""

    max_interval: float  # type: ignore[assignment] # Celery's stubs say int
    lock_timeout = 25.0
    """Seconds until the lock of a killed beat expires."""

    def __init__(self, app: Celery, **kwargs: Any) -> None:
        super().__init__(app, **kwargs)
        self._redis: Redis = Redis.from_url(
            app.conf.result_backend, decode_responses=True, socket_keepalive=True
        )
        self._lock = self._redis.lock(BEAT_LOCK, timeout=self.lock_timeout, thread_local=False)
        self._leads: bool | None = None
        self._closed = False
        if not kwargs.get("lazy"):  # else only its class and settings are printed
            self._enter_redis()

    def _enter_redis(self) -> None:
        """Check our credentials.

        Raises:
            SystemExit: Redis rejects them. A beat that runs waits instead, like a worker.
        """
        try:
            with translated():
                self._redis.ping()
        except StoreRefusesAccess as error:
            sys.stderr.write(f"{error}\n")
            raise SystemExit(os.EX_CONFIG) from error
        except (StoreUnavailable, ConfigurationError) as error:
            log.warning("state_unavailable", error=str(error))

    def tick(self, *_: Any, **__: Any) -> float:
        """Fire the due entries, if this beat leads; returns the seconds until the next round.

        Raises:
            SystemExit: beat has received a stop signal. Celery's signal handler raises it, too, but
                Python drops an exception in a weak reference's callback or in a finalizer.
        """
        if self._closed:
            raise SystemExit
        try:
            self._acquire()
            self._send_heartbeat()
            if self._leads:
                return self._fire_due_entries()
        except RedisError as error:
            # Due entries are still due when Redis responds again.
            log.warning("state_unavailable", error=explain(error))
        return self.max_interval

    def close(self) -> None:
        """Release the lock, so that another beat leads at once; the signal handler calls this."""
        self._closed = True
        try:
            if self._leads:
                self._leads = False
                with suppress(LockError):  # it expired: another beat may lead already
                    self._lock.release()
            self._redis.delete(self._about().key)
        except RedisError as error:
            log.warning("state_unavailable", error=explain(error))
        super().close()

    def _acquire(self) -> None:
        """Extend the lock, or try to acquire it."""
        leads = False
        try:
            if self._leads:
                leads = self._lock.reacquire()
        except LockError:
            pass  # it expired while Redis was unavailable or this process was suspended
        leads = leads or self._lock.acquire(blocking=False)
        if leads and not self._leads:
            log.info("beat_leads")
        elif not leads and self._leads is not False:
            log.info("beat_stands_by")
        self._leads = leads

    def _send_heartbeat(self) -> None:
        about = self._about()
        self._redis.set(about.key, about.encode(), ex=GONE_AFTER)

    def _about(self) -> Beat:
        return Beat(
            hostname=socket.gethostname(),
            pid=os.getpid(),
            leads=bool(self._leads),
            schedules=tuple(sorted(self.schedule)),
            seen_at=time.time(),
        )

    def _fire_due_entries(self) -> float:
        """Fire the due entries; returns the seconds until the next round, at most the interval."""
        fired: Any = self._redis.hgetall(FIRED)
        skipped: Any = self._redis.hgetall(SKIPPED)
        wait = self.max_interval
        for name, entry in self.schedule.items():
            last = max(self._last(FIRED, fired, name), self._last(SKIPPED, skipped, name))
            if not last:
                last = self._note(SKIPPED, name)  # a new entry waits for its time
            entry.last_run_at = datetime.fromtimestamp(last, self.app.timezone)
            is_due, seconds = entry.is_due()
            if is_due:
                self._fire(name, entry)
            wait = min(wait, seconds)
        return wait

    def _last(self, key: str, stored: dict[str, str], name: str) -> float:
        """A stored time. One that a clock ahead of ours has stored becomes the current time.

        Otherwise the entry would not be due before our clock has caught up.
        """
        last = float(stored.get(name, 0))
        return self._note(key, name) if last > time.time() + CLOCK_SKEW else last

    def _fire(self, name: str, entry: ScheduleEntry) -> None:
        """Send an entry's task, or skip a disabled entry; stores the time."""
        switch: Any = self._redis.hget(SWITCHES, name)
        if not is_on(name, switch):
            log.info("schedule_skipped", schedule=name)
            self._note(SKIPPED, name)
            return
        try:
            result = self.apply_async(entry, producer=self.producer, advance=False)
        except (OperationalError, SchedulingError):
            log.exception("schedule_failed", schedule=name)  # retried in the next round
            return
        log.info("schedule_fired", schedule=name, task_id=result.id)
        self._note(FIRED, name)

    def _note(self, key: str, name: str) -> float:
        moment = time.time()
        self._redis.hset(key, name, moment)
        return moment
