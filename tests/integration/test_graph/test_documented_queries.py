"""The queries of ``docs/data-model.md`` answer what the page says."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ssc_ingest.graph.writer import GraphWriter
from ssc_ingest.models import Requirement
from tests.conftest import Cypher
from tests.integration.test_graph.packages import order, package, ref

PAGE = Path(__file__).parents[3] / "docs/data-model.md"
QUERIES = re.findall(r"```cypher\n(.*?)```", PAGE.read_text(), re.DOTALL)
ASKED = {"package": "pkg:npm/web", "version": "pkg:npm/web@2.0"}
DECLARED = '[{"alias":"old","text":"^1"},{"text":"^2"}]'


@pytest.fixture
async def filled(writer: GraphWriter) -> None:
    """A package with facts of every kind, one yanked version, and one without facts."""
    web = package("web", ["1.0", "2.0", "3.0"], ecosystem="npm", yanked=["3.0"])
    first, second, third = web.versions
    second = replace(
        second,
        requirements=(
            Requirement(ref("core", "npm"), "^1 || ^2", optional=True, declared=DECLARED),
            Requirement(ref("plain", "npm"), "any"),
        ),
        os=("linux",),
        peer_requirements='{"react":{"range":"^18"}}',
        features='{"default":[]}',
    )
    versions = (replace(first, requirements=None), second, third)
    await writer.write(replace(web, versions=versions, dist_tags='{"latest":"2.0"}'), order=order)


def test_the_page_has_them() -> None:
    """The page has these queries, and no others, which nobody would have tried."""
    assert len(QUERIES) == 3


async def test_candidates(filled: None, cypher: Cypher) -> None:
    """Versions are newest first, without yanked ones, with the facts that an install uses."""
    newest, oldest = cypher(QUERIES[0], **ASKED)
    assert (newest["name"], oldest["name"]) == ("2.0", "1.0")
    assert (newest["os"], newest["dist_tags"]) == (["linux"], '{"latest":"2.0"}')


async def test_requirements(filled: None, cypher: Cypher) -> None:
    """The requirements of a version with facts, and of one with unknown facts, are correct."""
    plain = {"constraints": "any", "kind": None, "optional": False, "declared": None}
    (found,) = cypher(QUERIES[1], **ASKED)
    assert found == {
        "known": True,
        "requirements": [
            {
                "package": "pkg:npm/core",
                "constraints": "^1 || ^2",
                "kind": None,
                "optional": True,
                "declared": DECLARED,
            },
            {"package": "pkg:npm/plain", **plain},
        ],
    }
    (unknown,) = cypher(QUERIES[1], **ASKED | {"version": "pkg:npm/web@1.0"})
    assert not unknown["known"]


async def test_tables(filled: None, cypher: Cypher) -> None:
    """The tables are those that the version has."""
    found: dict[str, Any] = {
        row["name"]: json.loads(row["json"]) for row in cypher(QUERIES[2], **ASKED)
    }
    assert found == {"features": {"default": []}, "peer_requirements": {"react": {"range": "^18"}}}
