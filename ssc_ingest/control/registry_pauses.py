"""Registries from an operator's view: rates, use and pauses, and commands to pause and resume.

A registry that an operator has paused receives no requests, urgent ones included. Its tasks wait in
the delayed set during the pause.
"""

from collections.abc import Iterable, Mapping
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
    """Maximum requests a second of the fleet; ``None`` if unlimited (loopback)."""
    use: HostUse

    @property
    def pause(self) -> str:
        """The reason why the host receives no requests now; empty if it receives requests."""
        if cause := self.use.unreachable:
            return f"{cause}; one request at a time tests it"
        if until := self.use.paused_until:
            return f"{self.name} requested a pause until {until:%H:%M:%S} UTC"
        return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Registry:
    """One registry."""

    name: str
    hold: RegistryPause | None
    hosts: tuple[Host, ...]

    @property
    def pause(self) -> str:
        """The reason why the registry receives no requests now; empty if it receives requests."""
        if self.hold:
            return f"{self.name} is paused by an operator: {self.hold.reason}"
        unreachable_first = sorted(self.hosts, key=lambda host: not host.use.unreachable)
        return next((host.pause for host in unreachable_first if host.pause), "")

    @property
    def remedy(self) -> str:
        """What ends the pause."""
        if self.hold:
            return f"`ssc-ingest registries resume {self.name}` ends the pause"
        return "it continues by itself; `ssc-ingest check` tests all hosts"

    @property
    def obstacle(self) -> str:
        """The reason why its tasks wait, for people; empty if its hosts are not the reason."""
        if self.pause:
            return self.pause
        for host in self.hosts:
            if host.use.queued_until and host.rate:
                return f"each waits for its turn (rate limit of {host.name})"
        return ""


def pauses(registries: Iterable[Registry]) -> dict[str, tuple[str, str]]:
    """For each registry that receives no requests: the reason, and what ends the pause."""
    return {each.name: (each.pause, each.remedy) for each in registries if each.pause}


class RegistryPauses:
    """All registries of the fleet."""

    def __init__(
        self, limiter: RateLimiter, queues: Queues, *, env_file: Path | None = ENV_FILE
    ) -> None:
        self._limiter = limiter
        self._queues = queues
        self._env_file = env_file

    async def all(self) -> list[Registry]:
        """All registries with their hosts.

        Raises:
            ConfigurationError: a registry's URL or rate is invalid.
        """
        return [await self.get(name) for name in ecosystems()]

    async def get(self, name: str) -> Registry:
        """One registry with its hosts.

        Raises:
            UnknownEcosystem: no registry has this name.
            ConfigurationError: the registry's URL or rate is invalid.
        """
        endpoints = load_endpoints(name, ecosystem(name).identity.endpoints, self._env_file)
        return Registry(
            name=name,
            hold=await self._limiter.held(name),
            hosts=await self._hosts(endpoints.hosts),
        )

    async def pause(self, name: str, *, reason: str, seconds: float | None) -> None:
        """Pause a registry for this number of seconds, or until :meth:`resume`.

        Raises:
            UnknownEcosystem: no registry has this name.
        """
        ecosystem(name)
        await self._limiter.hold(name, reason=reason, seconds=seconds)

    async def resume(self, name: str) -> tuple[bool, int]:
        """Resume a registry; returns whether it was paused, and the number of requeued tasks.

        Raises:
            UnknownEcosystem: no registry has this name.
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
