"""What a test needs from its machine, and what happens where it is absent."""

import os
from typing import NoReturn

import pytest


def skip(missing: str) -> NoReturn:
    """Skip the test, because something is ``missing``; in CI, which has it, the test fails."""
    if os.environ.get("CI"):
        pytest.fail(missing)
    pytest.skip(missing)
