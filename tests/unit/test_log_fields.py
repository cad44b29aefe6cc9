"""The fields of log lines about a task."""

from typing import Any

import pytest

from ssc_ingest.extraction.delivery import log_fields


@pytest.mark.parametrize(
    ("kwargs", "fields"),
    [
        (
            {"ecosystem": "pypi", "name": "Foo_Bar"},
            {"ecosystem": "pypi", "package": "pkg:pypi/foo-bar"},
        ),
        ({"ecosystem": "cobol", "name": "x"}, {"ecosystem": "cobol", "package": "x"}),
        ({"ecosystem": "npm", "name": "../x"}, {"ecosystem": "npm", "package": "../x"}),
        ({"ecosystem": "npm"}, {"ecosystem": "npm"}),
        ({"ecosystem": 1, "name": ["x"]}, {}),
        ({}, {}),
        (
            {"ecosystem": "e" * 999, "name": "n" * 999},
            {"ecosystem": "e" * 200, "package": "n" * 200},
        ),
    ],
)
def test_task_and_package(kwargs: dict[str, Any], fields: dict[str, str]) -> None:
    """A task's log fields have the purl if there is one; a caller's text is cut."""
    assert log_fields("id", kwargs) == {"task_id": "id", **fields}
