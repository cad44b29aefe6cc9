"""Prepares the server's plans of the statements that the extraction of a new package sends.

The server plans a statement when it is first sent, which takes up to a second each, and keeps the
plan in its memory.
"""

from collections.abc import Iterable
from contextlib import suppress

from neo4j import AsyncDriver

from ssc_ingest.errors import StoreUnavailable
from ssc_ingest.graph import rows
from ssc_ingest.graph.creation import parameters_for_nothing
from ssc_ingest.graph.errors import translated
from ssc_ingest.graph.reader import PACKAGE_STATES
from ssc_ingest.graph.statements import CREATE_PACKAGES, for_label


async def prepare_plans(driver: AsyncDriver, labels: Iterable[str]) -> None:
    """Send the statements with empty lists, one after the other; the graph does not change.

    Costs a few milliseconds for plans that the server has, and does nothing while the server is
    unavailable.
    """
    with suppress(StoreUnavailable), translated("a plan"):
        for label in labels:
            states = for_label(PACKAGE_STATES, label)
            await driver.execute_query(states, rows.batch({"purls": []}))
            creation = for_label(CREATE_PACKAGES, label)
            await driver.execute_query(creation, parameters_for_nothing())
