"""Keeps the settings of this machine away from these tests."""

import pytest

from tests.unit.test_settings.variables import known_names


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Variables of this machine must not affect these tests."""
    for name in known_names():
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(f"{name}_FILE", raising=False)
