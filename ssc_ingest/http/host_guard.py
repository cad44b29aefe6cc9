"""Permission for requests to a host, and conclusions from its responses.

A host is paused for the whole fleet if it requests that, refuses several documents in a row, is
overloaded, or is unreachable.
"""

import asyncio
from http import HTTPStatus
from typing import NoReturn

from ssc_ingest.errors import (
    AwaitsTurn,
    DocumentOverloaded,
    RateLimited,
    RegistryOverloaded,
    RegistryPaused,
    RegistryUnreachable,
)
from ssc_ingest.http import host_history
from ssc_ingest.http.failures import Failure
from ssc_ingest.http.rate_limit import Permission, RateLimiter
from ssc_ingest.http.request_scope import current_scope
from ssc_ingest.http.responses import retry_after
from ssc_ingest.http.transport import Answer
from ssc_ingest.logs import get_logger
from ssc_ingest.metrics import Metrics

PAUSE_AFTER = {403: 60.0, 429: 60.0, 503: 5.0}
"""Seconds of a pause if the host states no time; doubled with each pause."""

MIN_PAUSE = 1.0
"""Seconds; shorter times of a host, such as ``Retry-After: 0``, are ignored."""

log = get_logger(__name__)


class HostGuard:
    """Obtains permissions, and pauses hosts."""

    def __init__(self, limiter: RateLimiter, metrics: Metrics) -> None:
        self._limiter = limiter
        self._metrics = metrics
        self._watched: dict[str, bool] = {}
        """Whether a recent response of a host was bad, by the newest that Redis has said. It also
        counts for responses whose permissions are older: otherwise only the bad ones of the
        requests that were sent together would be recorded, and seem to be all there were."""

    async def permission(self, host: str, rate: float, registry: str, url: str) -> Permission:
        """Wait for the rate limiter's permission to send one request.

        Args:
            host: ``name[:port]``.
            rate: maximum requests a second.
            registry: the requesting ecosystem.
            url: the document.

        Raises:
            AwaitsTurn, RegistryPaused, RegistryUnreachable, RateLimited: the wait would be too
                long.
        """
        scope = current_scope()
        permission = await self._limiter.take(
            host,
            rate=rate,
            urgent=scope is None or scope.urgent,
            begun=scope is None or scope.begun,
            registry=registry,
        )
        if permission.granted:
            self._watched[host] = permission.watched
            if permission.delay:
                self._metrics.delayed(host, permission.delay)
            await asyncio.sleep(permission.delay)
            return permission
        self._metrics.refused(host)
        delay = permission.delay
        match permission.verdict:
            case "held":
                reason = f"an operator has paused {registry}"
                raise RegistryPaused(reason, retry_after=delay, url=url)
            case "unreachable":
                raise RegistryUnreachable(permission.cause, retry_after=delay, url=url)
            case "turn":
                reason = f"waits for its turn (rate limit of {host})"
                raise AwaitsTurn(reason, retry_after=delay, url=url)
            case _:
                reason = f"{host} is paused, because it requested a pause or refused us"
                raise RateLimited(reason, retry_after=delay, url=url)

    async def check_answer(
        self, answer: Answer, host: str, url: str, permission: Permission
    ) -> None:
        """Conclude from a response whether its host must be paused.

        Raises:
            RateLimited: the host is paused.
            DocumentOverloaded: only this document responds with 503.
            RegistryUnreachable: gateways reported time-outs for several documents.
        """
        status = answer.status
        kind = host_history.answer_of(status)
        entries: list[str] = []
        if self._is_watched(host, permission) or kind not in {"fine", "failed"}:
            entries = await self._record(host, kind, url)
        named = retry_after(answer.headers.get("retry-after")) or 0
        match kind:
            case "forbidden" if host_history.refuses_us(entries):
                await self._pause(RateLimited, status, 0, host, url)
            case "overloaded" if named < MIN_PAUSE and not host_history.is_overloaded(entries):
                self._metrics.asked_to_wait(host, status)
                raise DocumentOverloaded(
                    f"HTTP {status} from {host}", retry_after=PAUSE_AFTER[status], url=url
                )
            case "overloaded":
                await self._pause(RegistryOverloaded, status, named, host, url)
            case "late" if host_history.is_silent(entries):
                await self._unreachable(host, f"HTTP {status} from the gateway of {host}", url)
            case _ if status == HTTPStatus.TOO_MANY_REQUESTS:
                await self._pause(RateLimited, status, named, host, url)

    async def _pause(
        self, error: type[RateLimited], status: int, named: float, host: str, url: str
    ) -> NoReturn:
        """Pause the host for the time that it has ``named``, or for a growing time."""
        self._metrics.asked_to_wait(host, status)
        paused = await self._limiter.pause(
            host,
            named if named >= MIN_PAUSE else PAUSE_AFTER[status],
            doubling=named < MIN_PAUSE,
        )
        raise error(f"HTTP {status} from {host}", retry_after=paused, url=url)

    async def check_failure(
        self, failure: Failure, host: str, url: str, permission: Permission
    ) -> None:
        """Conclude from a missing response whether the host must be paused.

        Raises:
            RegistryUnreachable: the host is unreachable.
        """
        if failure.kind == "broken":
            if self._is_watched(host, permission):
                await self._record(host, "failed", url)
        elif failure.kind == "unreachable" or permission.probe:
            await self._unreachable(host, failure.text, url)
        else:
            # A connection does not depend on the document.
            document = url if failure.kind == "read timeout" else None
            if host_history.is_silent(await self._record(host, "late", document)):
                await self._unreachable(host, failure.text, url)

    async def _unreachable(self, host: str, cause: str, url: str) -> NoReturn:
        paused = await self._limiter.unreachable(host, cause)
        log.warning("host_unreachable", host=host, error=cause, seconds=round(paused, 1))
        raise RegistryUnreachable(cause, retry_after=paused, url=url)

    def _is_watched(self, host: str, permission: Permission) -> bool:
        return permission.watched or self._watched.get(host, False)

    async def _record(self, host: str, answer: host_history.Answer, url: str | None) -> list[str]:
        entries, recovered = await self._limiter.record(host, answer, url)
        if recovered:
            log.info("host_reached", host=host)
        self._watched[host] = host_history.is_watched(entries)
        return entries
