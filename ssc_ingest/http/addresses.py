"""The addresses to which this program connects for a registry's document.

A :class:`.RegistryClient` sends requests only to the hosts of base URLs. As a second safeguard,
whatever else a redirect, document or message names is never an address inside the operator's
network. The check is part of every connection, because a name may resolve to another address each
time.
"""

import socket
from collections.abc import Set as AbstractSet
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

_NAT64 = IPv6Network("64:ff9b::/96")
"""IPv4 addresses inside IPv6 (RFC 6052)."""


class AddressForbidden(OSError):
    """A host that is not that of a base URL has an address that is not global."""


def is_global(address: str) -> bool:
    """Whether a numeric address, and one embedded in it, is reachable from the Internet.

    Shared, loopback, link-local, private, reserved and multicast addresses are not (the IANA
    registries of special-purpose addresses, RFC 6890).
    """
    try:
        found: IPv4Address | IPv6Address = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(found, IPv6Address):
        if found in _NAT64:
            found = IPv4Address(int(found) & 0xFFFF_FFFF)
        else:
            found = found.ipv4_mapped or found.sixtofour or found
    return found.is_global and not found.is_multicast


class GuardedResolver(AbstractResolver):
    """Resolves names; those that are not trusted must resolve to global addresses only."""

    def __init__(self, trusted: AbstractSet[str]) -> None:
        """``trusted``: host names in lower case, which may resolve to anything."""
        self._trusted = trusted
        self._resolver = aiohttp.DefaultResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The addresses of a name.

        Raises:
            AddressForbidden: an address is not global.
            OSError: the name has none.
        """
        found = await self._resolver.resolve(host, port, family)
        if host.lower() not in self._trusted:
            for each in found:
                if not is_global(each["host"]):
                    raise AddressForbidden(
                        f"{host} has the address {each['host']}, not a global one"
                    )
        return found

    async def close(self) -> None:
        """Release the resolver."""
        await self._resolver.close()


def check_numeric(host: str) -> None:
    """Check a host that may be a numeric address, which needs no resolver.

    Raises:
        AddressForbidden: it is one, and not global.
    """
    if _is_numeric(host) and not is_global(host):
        raise AddressForbidden(f"{host} is not a global address")


def _is_numeric(host: str) -> bool:
    """Whether the system would take the host as an address (``127.1`` and ``2130706433``, too)."""
    if ":" in host:
        return True
    try:
        socket.inet_aton(host)
    except OSError:
        return False
    return True
