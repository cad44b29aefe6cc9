"""The client of the vulnerability store, when no server responds."""

import re

import pytest

from ssc_ingest.errors import StoreUnavailable
from ssc_ingest.settings import load_settings
from ssc_ingest.vulnerabilities.store import open_store


async def test_a_ping_waits_as_long_as_the_address_says() -> None:
    """The driver ignores this option of the address when a client has its own time limit."""
    address = "mongodb://127.0.0.1:9/?serverSelectionTimeoutMS=20"
    async with open_store(address, load_settings(None)) as store:
        with pytest.raises(StoreUnavailable) as caught:
            await store.ping()
    waited = re.search(r"Timeout: ([\d.]+)s", str(caught.value.__cause__))
    assert waited, caught.value.__cause__
    assert float(waited[1]) <= 0.02
