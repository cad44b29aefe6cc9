"""How far a migration is: a node in the graph, written together with the work itself.

A transaction of the work begins by write-locking the node and ends by writing the position and
the counts into it, so that both are always true. Who starts a migration takes the node over;
a process that it was taken from stops at its next transaction. The node goes at the end.
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
"""Begin a migration, or take one over."""

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
    """Where to go on."""

    step: str
    cursor: str = ""
    """What was last done inside the step: a name or a purl."""
    done: int = 0
    """How much of the step that was."""


class Step(NamedTuple):
    """A statement of a transaction; what its record's ``n`` says is counted under a name."""

    statement: str
    parameters: Mapping[str, Any]
    counted: str | None = None


class Journal:
    """The node of one migration.

    All methods raise StoreUnavailable if the server is away, GraphRefused if it refuses.
    """

    def __init__(self, driver: AsyncDriver) -> None:
        self._driver = driver
        self._owner = uuid4().hex
        self.counts: Counter[str] = Counter()
        self.position: Position | None = None
        """Where an earlier process has stopped; ``None`` at the very beginning."""

    async def open(self) -> None:
        """Begin, or go on where somebody has stopped."""
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
        """Ask something."""
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
        """Send statements as one transaction, with what they are worth and where they lead.

        Returns:
            What the statements themselves have counted.

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
        """Send a statement that commits by itself again and again; count what it reports.

        What it did before it broke off is done, but not counted.
        """
        await self.write()  # is it still ours?
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
        """The migration is done: nothing of it stays in the graph."""
        await self.write([Step(FORGET, {})])
