"""Fixtures of all tests of registries."""

import pytest

from ssc_ingest.http import client


@pytest.fixture(autouse=True)
def _impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Failed requests are sent again at once, because these tests do not check the pauses."""
    monkeypatch.setattr(client, "FIRST_PAUSE", 0.01)
