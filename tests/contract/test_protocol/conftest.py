"""Runs the tests for each ecosystem; their rules apply to all registries."""

import pytest

from tests.contract.test_protocol.registries import NAMES


@pytest.fixture(params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    """The ecosystem's name."""
    return str(request.param)
