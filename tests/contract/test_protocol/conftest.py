"""Each ecosystem in turn: what is asked here holds for all, whatever their registries are like."""

import pytest

from tests.contract.test_protocol.registries import NAMES


@pytest.fixture(params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    """The ecosystem's name."""
    return str(request.param)
