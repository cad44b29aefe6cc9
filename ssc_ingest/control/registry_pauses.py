"""The registries as an operator sees them: how they are asked, whether they are, and a switch.

A registry that is paused by hand is asked nothing, urgent work included. Its work waits in the
delayed set for as long as that takes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ssc_ingest.ecosystems import ecosystem, ecosystems
from ssc_ingest.ecosystems.endpoints import load_endpoints
from ssc_ingest.http.rate_limit import HostUse, RateLimiter, RegistryPause, is_loopback
from ssc_ingest.settings import ENV_FILE
from ssc_ingest.work.names import URGENCIES, queue_name
from ssc_ingest.work.queues import Queues


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """One host of a registry."""

    name: str
    rate: float | None
    """Requests per second that the fleet may send; ``None`` for any number (loopback)."""
    use: HostUse


@dataclass(frozen=True, slots=True, kw_only=True)
class Registry:
    """One registry."""

    name: str
    hold: RegistryPause | None
    hosts: tuple[Host, ...]

    @property
    def pause(self) -> str:
        """The reason why the registry is not asked now; empty if it is asked."""
        if self.hold:
            return f"{self.name} is paused by an operator: {self.hold.reason}"
        for host in self.hosts:
            if cause := host.use.unreachable:
                return f"{cause}; one request at a time tries again"
        for host in self.hosts:
            if until := host.use.paused_until:
                return f"{host.name} asked us to wait until {until:%H:%M:%S} UTC"
        return ""

    @property
    def obstacle(self) -> str:
        """The reason why work for the registry waits; empty if its hosts are not the reason."""
        if self.pause:
            return self.pause
        for host in self.hosts:
            if host.use.queued_until and host.rate:
                return f"each waits for its turn (rate limit of {host.name})"
        return ""


class RegistryPauses:
    """All registries of the fleet."""

    def __init__(
        self, limiter: RateLimiter, queues: Queues, *, env_file: Path | None = ENV_FILE
    ) -> None:
        self._limiter = limiter
        self._queues = queues
        self._env_file = env_file

    async def all(self) -> list[Registry]:
        """Each with its hosts.

        Raises:
            ConfigurationError: a registry's URL or rate makes no sense.
        """
        return [await self.get(name) for name in ecosystems()]

    async def get(self, name: str) -> Registry:
        """One of them.

        Raises:
            UnknownEcosystem: there is no such registry.
            ConfigurationError: its URL or rate makes no sense.
        """
        endpoints = load_endpoints(name, ecosystem(name).identity.endpoints, self._env_file)
        return Registry(
            name=name,
            hold=await self._limiter.held(name),
            hosts=await self._hosts(endpoints.hosts),
        )

    async def pause(self, name: str, *, reason: str, seconds: float | None) -> None:
        """Ask it nothing more: for so many seconds, or until :meth:`resume`.

        Raises:
            UnknownEcosystem: there is no such registry.
        """
        ecosystem(name)
        await self._limiter.hold(name, reason=reason, seconds=seconds)

    async def resume(self, name: str) -> tuple[bool, int]:
        """Ask it again; returns whether it was paused, and how much work that woke up.

        Raises:
            UnknownEcosystem: there is no such registry.
        """
        ecosystem(name)
        was_paused = await self._limiter.release(name)
        woken = await self._queues.wake([queue_name(name, urgency) for urgency in URGENCIES])
        return was_paused, woken

    async def _hosts(self, rates: Mapping[str, float]) -> tuple[Host, ...]:
        use = await self._limiter.use(list(rates))
        return tuple(
            Host(name=host, rate=None if is_loopback(host) else rate, use=use[host])
            for host, rate in rates.items()
        )
