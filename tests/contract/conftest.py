"""What all tests of registries share."""

import pytest

from ssc_ingest import http


@pytest.fixture(autouse=True)
def _impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Failed requests are sent again at once: only that they are sent again is tested here."""
    monkeypatch.setattr(http, "FIRST_PAUSE", 0.01)
