"""What all tests of registries share."""

import pytest

from ssc_ingest.http import client


@pytest.fixture(autouse=True)
def _impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Failed requests are sent again at once: only that they are sent again is tested here."""
    monkeypatch.setattr(client, "FIRST_PAUSE", 0.01)
