"""An error of a registry is never taken for the end of its listing or feed."""

from typing import Any

import pytest

from ssc_ingest.ecosystems.base import Ecosystem
from ssc_ingest.errors import CursorExpired, RegistryError
from tests.contract.test_listings.registries import LISTINGS, changes_on, changing, listing, publish
from tests.simulator.client import Simulator

pytest_plugins = ("tests.simulator.fixtures",)

FOREIGN = ("", "{}", "[]", "17", "{", '"x"', "nonsense", "\x00", '{"since": []}', '{"serial": "x"}',
           '{"serial": []}', '{"after": 1}', '{"chain": 1}', '{"head": 1}',
           '{"compared": "yesterday"}')  # fmt: skip
"""Texts that are not a cursor, or the cursor of another ecosystem."""


async def test_a_foreign_cursor_expires(reader: Ecosystem, name: str) -> None:
    """A text that is no cursor of this ecosystem requires a new listing."""
    for cursor in FOREIGN:
        with pytest.raises(CursorExpired):
            await changing(reader, cursor)
        if cursor not in LISTINGS[name].no_cursor:
            with pytest.raises(CursorExpired):
                await listing(reader, cursor)


FAULTS: dict[str, dict[str, Any]] = {
    "500": {"kind": "status", "status": 500},
    "404": {"kind": "status", "status": 404},
    "error page": {"kind": "html"},
    "empty": {"kind": "empty"},
    "empty object": {"kind": "body", "body": "{}"},
    "empty array": {"kind": "body", "body": "[]"},
    "null": {"kind": "body", "body": "null"},
    "deep": {"kind": "body", "body": "[" * 100_000},
    "no text": {"kind": "body", "body": b"\xff\xfe\x00\x01"},
    "half a document": {"kind": "not-json"},
    "broken off": {"kind": "truncate", "keep": 0.7},
    "reset": {"kind": "reset", "at": "body"},
    "fields are missing": {"kind": "missing-keys"},
    "fields are wrong": {"kind": "wrong-types"},
    "elsewhere": {"kind": "redirect", "location": "http://registry.example/x"},
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
async def test_no_failure_is_the_end(
    reader: Ecosystem,
    name: str,
    simulator: Simulator,
    fault: dict[str, Any],
) -> None:
    """Each failure is an error of listing and feed; without it both are complete."""
    cursor = await reader.feed_end()
    changed = publish(simulator, name, 100, 3)
    row = LISTINGS[name]
    for endpoint in row.listing:
        number = simulator.fault(**fault, endpoint=endpoint)
        with pytest.raises(RegistryError):
            await listing(reader)
        simulator.clear_faults(number)
    for endpoint in row.feed:
        number = simulator.fault(**fault, endpoint=endpoint)
        with pytest.raises(RegistryError) as caught:
            await changing(reader, cursor)
        assert not isinstance(caught.value, CursorExpired)
        simulator.clear_faults(number)
    assert row.names(await listing(reader)) == sorted(simulator.names(name))
    assert changes_on(await changing(reader, cursor)).keys() == changed
