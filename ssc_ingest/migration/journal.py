"""The progress of a migration: a node in the graph, written together with the work.

Each transaction first write-locks the node and finally writes the position and the counts into it,
so that both are always correct. A new migration takes the node over; the earlier process stops at
its next transaction. The node is deleted at the end.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple
from uuid import uuid4

from neo4j import AsyncDriver, AsyncManagedTransaction, Record, RoutingControl

from ssc_ingest.errors import IngestError
from ssc_ingest.graph.errors import translated
from ssc_ingest.graph.schema import MIGRATION_LABEL

TAKE = f"""
MERGE (state:{MIGRATION_LABEL} {{of: 'reference'}})
ON CREATE SET state.started = localdatetime.transaction('UTC')
SET state.owner = $owner
RETURN properties(state) AS state
"""
"""Start a migration, or take one over."""

OWN = f"""
MATCH (state:{MIGRATION_LABEL} {{owner: $owner}}) SET state.owner = $owner
RETURN count(state) AS found
"""
"""Lock the node, if it is still ours."""

SAVE = f"""
MATCH (state:{MIGRATION_LABEL} {{owner: $owner}})
SET state += $properties
"""

FORGET = f"MATCH (state:{MIGRATION_LABEL}) DELETE state"

COUNT_PREFIX = "count_"


class SupersededMigration(IngestError):
    """Another process has taken this migration over."""

    def __init__(self) -> None:
        super().__init__("another `ssc-ingest migrate` has taken over; this one stops")


@dataclass(frozen=True, slots=True)
class Position:
    """The position from which to continue."""

    step: str
    cursor: str = ""
    """The last completed key of the step: a name or a purl."""
    done: int = 0
    """The number of nodes done in the step."""


class Step(NamedTuple):
    """A statement of a transaction; ``n`` of its record is added to a counter."""

    statement: str
    parameters: Mapping[str, Any]
    counted: str | None = None


class Journal:
    """The node of one migration.

    All methods raise StoreUnavailable if the server is unavailable, GraphRefused if it rejects the
    statement.
    """

    def __init__(self, driver: AsyncDriver) -> None:
        self._driver = driver
        self._owner = uuid4().hex
        self.counts: Counter[str] = Counter()
        self.position: Position | None = None
        """The position where an earlier process stopped; ``None`` at the beginning."""

    async def open(self) -> None:
        """Start, or continue where an earlier process stopped."""
        with translated("the migration's state"):
            answer = await self._driver.execute_query(TAKE, owner=self._owner)
        state = answer.records[0]["state"]
        self.counts = Counter(
            {
                k.removeprefix(COUNT_PREFIX): n
                for k, n in state.items()
                if k.startswith(COUNT_PREFIX)
            }
        )
        if "step" in state:
            self.position = Position(state["step"], state["cursor"], state["done"])

    async def read(self, statement: str, **parameters: Any) -> list[Record]:
        """Run a read."""
        with translated("a read of the migration"):
            answer = await self._driver.execute_query(
                statement, parameters, routing_=RoutingControl.READ
            )
        return answer.records

    async def write(
        self,
        steps: Iterable[Step] = (),
        *,
        counts: Mapping[str, int] | None = None,
        position: Position | None = None,
    ) -> Counter[str]:
        """Send statements as one transaction, with their counts and the new position.

        Returns:
            The counts of the statements.

        Raises:
            SupersededMigration: the migration belongs to another process now.
        """
        steps = tuple(steps)

        async def work(transaction: AsyncManagedTransaction) -> Counter[str]:
            owned = await (await transaction.run(OWN, owner=self._owner)).single(strict=True)
            if not owned["found"]:
                raise SupersededMigration
            found: Counter[str] = Counter()
            for step in steps:
                result = await transaction.run(step.statement, dict(step.parameters))
                if step.counted is None:
                    await result.consume()
                else:
                    found[step.counted] += (await result.single(strict=True))["n"]
            totals = self.counts + found + Counter(counts or {})
            properties: dict[str, Any] = {COUNT_PREFIX + key: n for key, n in totals.items()}
            if position is not None:
                properties |= {
                    "step": position.step,
                    "cursor": position.cursor,
                    "done": position.done,
                }
            await transaction.run(SAVE, owner=self._owner, properties=properties)
            return found

        with translated("a part of the migration"):
            async with self._driver.session(
                bookmark_manager=self._driver.execute_query_bookmark_manager
            ) as session:
                found = await session.execute_write(work)
        self.counts += found + Counter(counts or {})
        if position is not None:
            self.position = position
        return found

    async def write_all(self, statement: str, counted: str | None, **parameters: Any) -> int:
        """Send a statement that commits in batches; add its reported counts.

        Batches before an interruption are done, but not counted.
        """
        await self.write()  # check that the node is still ours
        with translated("a part of the migration"):
            async with self._driver.session(
                bookmark_manager=self._driver.execute_query_bookmark_manager
            ) as session:
                result = await session.run(statement, parameters)
                found: int = (await result.single(strict=True))["n"]
        if counted:
            await self.write(counts={counted: found})
        return found

    async def close(self) -> None:
        """Delete the node at the end of the migration."""
        await self.write([Step(FORGET, {})])
