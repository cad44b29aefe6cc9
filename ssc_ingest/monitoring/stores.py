"""The memory and disk use of the stores, as far as they report it."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from neo4j import AsyncDriver, RoutingControl
from neo4j.exceptions import Neo4jError
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import OperationFailure
from redis.asyncio import Redis

HEAP = """
CALL dbms.queryJmx('java.lang:type=Memory') YIELD attributes
RETURN attributes.HeapMemoryUsage.value.properties AS heap
"""
"""The memory of Neo4j's Java; needs the privileges of an administrator."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreSize:
    """Sizes in bytes; ``None`` if the store does not report it."""

    memory: int | None = None
    memory_limit: int | None = None
    """``None`` also if there is no limit."""
    disk: int | None = None
    disk_free: int | None = None


async def redis_size(redis: Redis) -> StoreSize:
    """The memory of Redis and its limit, and the size of its append-only file.

    Raises:
        RedisError: Redis does not respond.
    """
    info: Any = await redis.info()
    return StoreSize(
        memory=_number(info.get("used_memory")),
        memory_limit=_number(info.get("maxmemory")) or None,
        disk=_number(info.get("aof_current_size")),
    )


async def graph_size(driver: AsyncDriver) -> StoreSize:
    """The Java heap of Neo4j; the community edition does not report the size of its files."""
    try:
        answer = await driver.execute_query(HEAP, routing_=RoutingControl.READ)
    except Neo4jError:
        return StoreSize()
    heap = answer.records[0]["heap"] if answer.records else {}
    return StoreSize(memory=_number(heap.get("used")), memory_limit=_number(heap.get("max")))


async def vulnerabilities_size(database: AsyncDatabase[Any]) -> StoreSize:
    """The files of the database, and the memory of the server."""
    stats = await _command(database, "dbStats")
    server = await _command(database, "serverStatus")
    memory = server.get("mem")
    resident = _number(memory.get("resident")) if isinstance(memory, dict) else None
    total, used = _number(stats.get("fsTotalSize")), _number(stats.get("fsUsedSize"))
    return StoreSize(
        memory=resident * 1024 * 1024 if resident else None,
        disk=_number(stats.get("totalSize")),
        disk_free=total - used if total is not None and used is not None else None,
    )


def private_size(folder: Path) -> StoreSize:
    """The size of a private server's files in ``DATA_DIR``; unknown if there is no folder."""
    if not folder.is_dir():
        return StoreSize()
    return StoreSize(disk=sum(_sizes(folder)), disk_free=shutil.disk_usage(folder).free)


def _sizes(folder: Path) -> Iterator[int]:
    for path in folder.rglob("*"):
        try:
            if path.is_file() and not path.is_symlink():
                yield path.stat().st_size
        except OSError:  # deleted meanwhile
            continue


async def _command(database: AsyncDatabase[Any], name: str) -> dict[str, Any]:
    """The response of the server; empty if it does not know the command or forbids it."""
    try:
        return dict(await database.command(name))
    except OperationFailure:
        return {}


def _number(value: Any) -> int | None:
    return int(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None
