"""The outcomes of a stream's messages."""

import json
import random
from collections import Counter
from typing import Any

from redis.asyncio import Redis

from ssc_ingest.on_demand.stream.counts import StreamCounts
from ssc_ingest.resources import State
from tests.acceptance.fleet import LONG_ENOUGH, RECOVERY, eventually
from tests.acceptance.producer import LABELS, STREAMS, Message, mixed
from tests.acceptance.work import settled
from tests.conftest import Cypher
from tests.graph_truth import assert_graph_holds
from tests.simulator.client import Simulator


async def read_to_the_end(state: State, streams: Redis | None = None) -> None:
    """Wait until every message is handed over and every task has ended."""
    redis = streams or state.streams

    async def is_read() -> bool:
        for name in STREAMS:
            groups: Any = await redis.xinfo_groups(name)
            if not groups or groups[0]["pending"] or groups[0]["lag"] != 0:
                return False
        return True

    await eventually(is_read, LONG_ENOUGH + RECOVERY)
    await settled(state)


async def letters_of(state: State, stream: str) -> list[dict[bytes, bytes]]:
    """The stream's dead letters as any program sees them."""
    entries: Any = await state.stream_entries.xrange(f"{stream}-dlq")
    return [fields for _, fields in entries]


async def assert_dead_letters_are(state: State, bad: list[Message]) -> None:
    """Each bad message once, raw, in the dead letters of its own stream, with a reason."""
    for stream in STREAMS:
        letters = await letters_of(state, stream)
        expected = Counter(
            text if isinstance(text := message.data, bytes) else text.encode()
            for message in bad
            if message.stream == stream
        )
        assert Counter(letter[b"data"] for letter in letters) == expected
        assert all(letter[b"error"] for letter in letters)


def good_and_bad(simulator: Simulator, good: int, bad: int) -> tuple[list[Message], list[Message]]:
    """Good packages of all registries with bad ones among them; all messages, and the bad ones."""
    per_registry = good // len(LABELS)
    names = [
        (ecosystem, package.name)
        for number in range(per_registry)
        for ecosystem in LABELS
        for package in simulator.packages(ecosystem, 1, start=number)
    ]
    messages = list(mixed(names, bad, random.Random(7)))
    wanted = {(LABELS[ecosystem], name) for ecosystem, name in names}
    return messages, [message for message in messages if _subject(message.data) not in wanted]


def _subject(data: str | bytes) -> tuple[Any, Any] | None:
    try:
        content = json.loads(data)
        return content["node_type"], content["package"]
    except (ValueError, TypeError, KeyError):
        return None


async def assert_all_is_done(
    state: State, simulator: Simulator, cypher: Cypher, good: int, bad: list[Message]
) -> StreamCounts:
    """Every good message is in the graph and counted once, every bad one a dead letter.

    Returns:
        The counts of both streams together.
    """
    for ecosystem in LABELS:
        packages = simulator.packages(ecosystem, good // len(LABELS))
        truths = [simulator.truth(ecosystem, package.name) for package in packages]
        # As a requirement of another message, a crate may have been read without its links.
        assert_graph_holds(cypher, *truths, links=ecosystem != "cargo")
    await assert_dead_letters_are(state, bad)
    total = sum([await state.standings.metrics.total(name) for name in STREAMS], StreamCounts())
    assert total.successful == good
    return total
