"""Facts of versions and requirements as the simulator's truth has them: JSON texts as values."""

import json
from collections.abc import Mapping
from typing import Any

OF_VERSIONS = (
    "requires_python",
    "engines",
    "os",
    "cpu",
    "license",
    "license_spdx",
    "deprecated",
    "features",
    "extra_requirements",
    "peer_requirements",
    "frameworks",
    "builds",
)
OF_REQUIREMENTS = ("kind", "optional", "declared")
TABLES = ("features", "extra_requirements", "peer_requirements", "frameworks", "builds")
_JSON = {"engines", "declared", *TABLES}


def values(properties: Mapping[str, Any]) -> dict[str, Any]:
    """The values that are not absent; a list for every sequence."""
    return {
        name: json.loads(value)
        if name in _JSON
        else list(value)
        if isinstance(value, tuple)
        else value
        for name, value in properties.items()
        if value
    }
