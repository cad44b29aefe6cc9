"""A dump or a feed of crates that is damaged is an error, and no end."""

import io
import tarfile

import pytest

from ssc_ingest.ecosystems.crates import Crates
from ssc_ingest.errors import MalformedMetadata, RegistryUnavailable, ResponseTooLarge
from tests.contract.listing import followed, listed
from tests.contract.test_crates_listing.conftest import names
from tests.simulator.client import Simulator


@pytest.mark.parametrize(
    "members",
    [
        {},
        {"metadata.json": "{}"},
        {"metadata.json": '{"timestamp": "2026-11-24T02:00:00Z"}'},
        {"metadata.json": '{"timestamp": "2026-11-24T02:00:00Z"}', "data/crates.csv": ""},
        {"metadata.json": '{"timestamp": "2026-11-24T02:00:00Z"}', "data/crates.csv": "id,name\n"},
        {
            "metadata.json": '{"timestamp": "2026-11-24T02:00:00Z"}',
            "data/crates.csv": "id,name,updated_at,repository,homepage\n",
        },
        {
            "metadata.json": '{"timestamp": "2026-11-24T02:00:00Z"}',
            "data/crates.csv": 'id,name,updated_at,repository,homepage\n1,"a',
        },
    ],
    ids=range(7),
)
async def test_a_dump_without_crates_is_none(
    crates: Crates, simulator: Simulator, members: dict[str, str]
) -> None:
    """A dump without crates is an error, whatever else the dump has."""
    simulator.fault("body", body=archive(members), endpoint="cargo.dump")
    with pytest.raises((MalformedMetadata, RegistryUnavailable)):
        await listed(crates)


def archive(members: dict[str, str]) -> bytes:
    """A dump with these files."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as dump:
        for name, text in members.items():
            info = tarfile.TarInfo(f"2026-11-24-020000/{name}")
            info.size = len(text.encode())
            dump.addfile(info, io.BytesIO(text.encode()))
    return packed.getvalue()


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ({"kind": "html"}, MalformedMetadata),
        ({"kind": "empty"}, MalformedMetadata),
        ({"kind": "truncate"}, RegistryUnavailable),
        ({"kind": "not-json"}, MalformedMetadata),
        ({"kind": "body", "body": "<rss><channel/></rss>"}, MalformedMetadata),
        ({"kind": "body", "body": '<!DOCTYPE x [<!ENTITY a "b">]><rss/>'}, MalformedMetadata),
        ({"kind": "bomb", "megabytes": 40}, ResponseTooLarge),
    ],
    ids=str,
)
async def test_a_damaged_feed_is_not_the_end(
    crates: Crates, simulator: Simulator, fault: dict[str, str], error: type[Exception]
) -> None:
    """A damaged feed is an error at any point; changes from the dump are not lost."""
    cursor = await crates.feed_end()
    published = names(simulator, 1)[0]
    simulator.publish("cargo", published)
    simulator.rebuild("cargo")
    simulator.fault(**fault, endpoint="cargo.feed")
    with pytest.raises(error):
        await crates.feed_end()
    following = crates.list_changes(cursor)
    first, second = await anext(following), await anext(following)
    assert [change.name for change in first.changes] == [published]
    with pytest.raises(error):
        await anext(following)
    simulator.clear_faults()
    assert (await followed(crates, second.cursor)).changes == []
