"""The tables of properties: values that a reading sets, keeps, removes, or never changes."""

from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from ssc_ingest.graph.properties import PACKAGE, REQUIREMENT, VERSION
from ssc_ingest.graph.tables import Property, Table, Update
from ssc_ingest.graph.values import BOOLEAN, FLOAT, MOMENT, STRING, STRINGS
from ssc_ingest.models import PackageRef, Purl
from tests.unit.test_graph.test_plan import write_of

SEEN = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Model:
    """A node that registries describe."""

    name: str = "a"
    systems: tuple[str, ...] = ()
    licence: str | None = None
    optional: bool = False
    seen: datetime | None = None


TABLE = Table(
    Property("name", STRING, Update.FIXED, "", default=...),
    Property("os", STRINGS, Update.FOLLOW, "", source="systems"),
    Property("licence", STRING, Update.KEEP, "", default="n/a"),
    Property("optional", BOOLEAN, Update.FOLLOW, "", source=lambda model: model.optional or None),
    Property("seen", MOMENT, Update.KEEP, ""),
    Property("number", FLOAT, Update.WRITER, ""),
    Property("mean", FLOAT, Update.ELSEWHERE, "", default=0.0),
)


def test_a_row_has_the_stored_form_of_what_the_model_says() -> None:
    """Lists and times have the graph's types; empty or default values are absent."""
    full = Model(systems=("linux",), licence="MIT", optional=True, seen=SEEN)

    assert TABLE.row(full) == {
        "name": "a",
        "os": ["linux"],
        "licence": "MIT",
        "optional": True,
        "seen": SEEN.replace(tzinfo=None),
    }
    assert TABLE.row(Model()) == dict.fromkeys(TABLE.sourced) | {"name": "a"}
    assert TABLE.reader("licence")(full) == ("MIT", *TABLE.row(full).values())


def test_a_reading_sets_and_removes_what_follows_and_keeps_what_was_not_read() -> None:
    """Equal values, the identity and properties of other writers are not changed."""
    stored = {"name": "a", "os": ["linux"], "licence": "MIT", "optional": True, "seen": None}

    assert TABLE.changes(TABLE.row(Model()), stored) == {"os": None, "optional": None}
    assert TABLE.update(TABLE.row(Model(name="b"))) == {"os": None, "optional": None}
    same = Model(systems=("linux",), licence="MIT", optional=True)
    assert TABLE.changes(TABLE.row(same), stored) == {}
    other = TABLE.row(Model(name="b", systems=("linux",), licence="BSD", optional=True))
    assert TABLE.changes(other, stored) == {"licence": "BSD"}


def test_views_have_the_defaults_of_what_is_absent() -> None:
    """Views have only the requested properties, in the models' types."""
    wanted = ["name", "os", "licence", "mean", "id"]

    assert TABLE.view({"name": "a", "os": ["linux"]}, wanted) == {
        "name": "a",
        "os": ("linux",),
        "licence": "n/a",
        "mean": 0.0,
    }
    assert TABLE.view({}, ["os", "name"]) == {"os": None, "name": None}


def test_cypher_names_every_property() -> None:
    """New nodes get the row's values, and defaults for the other properties."""
    assert TABLE.cypher_node("new") == (
        '{licence: coalesce(new.licence, "n/a"), mean: coalesce(new.mean, 0.0), name: new.name, '
        "os: new.os, optional: new.optional, seen: new.seen, number: new.number}"
    )
    assert TABLE.cypher_edge("edge", number="row.n").endswith("seen: edge[5], number: row.n}")
    assert TABLE.cypher_map("v").startswith("v{.name, .os, ")
    assert TABLE.stored(range(6)) == dict(zip(TABLE.written, range(6), strict=True))


@pytest.mark.parametrize("table", [PACKAGE, VERSION, REQUIREMENT])
def test_every_property_is_explained_once(table: Table) -> None:
    """The data model's page is generated from the tables."""
    assert len(set(table.names)) == len(table.names)
    assert all(row.about and "|" not in row.about for row in table.properties)


def test_a_stub_has_the_properties_of_its_reference() -> None:
    """A stub's properties include those of its ecosystem."""
    thing = PackageRef(
        ecosystem="e",
        label="E",
        purl=Purl("pkg:e/Thing"),
        name="thing",
        registry_name="Thing",
        properties={"group_id": "g"},
    )
    assert PACKAGE.stub(thing) == {
        "group_id": "g",
        "name": "thing",
        "registry_name": "Thing",
        "vendor": "n/a",
        "repository_url": "n/a",
        "import_names": [],
    }


@pytest.mark.parametrize(
    ("required", "digest"),
    [({"b": ">= 1", "a": "any"}, "02aacefae1281dbbde"), ({}, "02e4a6a0577479b2b4")],
)
def test_digests_stay(required: dict[str, str], digest: str) -> None:
    """Other digests would have every requirement of every graph compared."""
    (row,) = write_of({1: required}).versions.values()
    assert row["requirements_digest"] == digest
