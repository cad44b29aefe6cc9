"""Minimal documents of a NuGet source."""

import json
from typing import Any

INDEX = "/v3/registration/demo.core/index.json"
NUSPEC = "/v3/content/demo.core/2.0.0-rc/demo.core.nuspec"
XML = "application/xml"


def leaf(version: str, **fields: Any) -> dict[str, Any]:
    """A version of ``Demo.Core``."""
    entry = {
        "id": "Demo.Core",
        "version": version,
        "listed": True,
        "published": "2024-05-06T07:08:09.0101010+00:00",
        "authors": "Ann Author, Bob",
        "projectUrl": "https://demo.example",
        **fields,
    }
    return {"@id": "x", "catalogEntry": entry, "packageContent": "y"}


def inlined(*leaves: dict[str, Any]) -> dict[str, Any]:
    """A page within the index."""
    return {"@id": "https://api.nuget.org/x#page/1/2", "count": len(leaves), "items": leaves}


def index(*pages: dict[str, Any]) -> str:
    """A registration index."""
    return json.dumps({"count": len(pages), "items": pages})


def elsewhere(url: str) -> dict[str, Any]:
    """The reference to a page in a separate document."""
    return {"@id": url, "count": 2, "lower": "1.0.0", "upper": "2.0.0"}


def page(*leaves: dict[str, Any]) -> str:
    """A page in a separate document."""
    return json.dumps({"items": leaves})


def nuspec(url: str = "https://github.com/owner/demo.git") -> str:
    """A manifest with this repository."""
    return f'\ufeff<package><metadata><repository type="git" url="{url}"/></metadata></package>'
