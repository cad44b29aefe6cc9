"""Attribution on real stores: from records to version properties, and back."""

import asyncio
import json
from base64 import b64decode
from collections.abc import Collection
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from ssc_ingest.ecosystems.base import Ecosystem
from ssc_ingest.ecosystems.pypi import PyPI
from ssc_ingest.errors import InvalidArguments, StoreUnavailable
from ssc_ingest.models import Purl, VersionName
from ssc_ingest.resources import Resources
from ssc_ingest.vulnerabilities.attributor import AdvisorySource, ByName
from ssc_ingest.vulnerabilities.stored_advisories import StoredAdvisories
from ssc_ingest.work.messages import TaskMessage
from ssc_ingest.work.queues import MESSAGES
from ssc_ingest.work.results import Delayed, Done, GaveUp
from tests.conftest import Cypher
from tests.integration.test_vulnerabilities.attributing import THING, attributor, extract
from tests.integration.test_vulnerabilities.conftest import LocalRecords, Syncing, advisory
from workers.process.delivery import _deliver


def stored(cypher: Cypher) -> dict[str, dict[str, Any]]:
    """The version properties in the graph."""
    rows = cypher("MATCH (v:Version) RETURN v{.*} AS version")
    names = ("vulnerabilities", "mean", "weighted_mean", "malicious", "notices")
    return {
        row["version"]["name"]: {n: row["version"][n] for n in names if n in row["version"]}
        for row in rows
    }


NOTHING = {"vulnerabilities": [], "mean": 0.0, "weighted_mean": 0.0}
HIGH = [{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}]


async def summary(resources: Resources, message: TaskMessage) -> str:
    """Carry out an attribution task that succeeds."""
    done = await resources.attribution_handler().handle(message)
    assert isinstance(done, Done)
    return done.summary


async def test_from_a_record_to_versions_and_back(
    resources: Resources, synced: Syncing, local: LocalRecords, cypher: Cypher
) -> None:
    """New, changed and withdrawn records change the versions; repeated work changes nothing."""
    await extract(resources, "1.0", "2.0")
    assert stored(cypher) == {"1.0": NOTHING, "2.0": NOTHING}

    local.write([advisory("PYSEC-1", "Thing", severity=HIGH), advisory("MAL-2", "other")])
    await synced.sync()
    names = await synced.queued()
    assert names == ["other", "thing"]
    message = TaskMessage(
        task="vulnerabilities.attribute",
        kwargs={"ecosystem": "pypi", "names": names},
        queue="pypi.fresh",
    )
    assert await summary(resources, message) == "1 packages, 1 of 2 versions changed"
    affected = {"vulnerabilities": ["PYSEC-1"], "mean": 9.8, "weighted_mean": 9.8}
    assert stored(cypher) == {"1.0": affected, "2.0": NOTHING}
    assert await summary(resources, message) == "1 packages, 0 of 2 versions changed"
    assert cypher("MATCH (p:PyPIPackage) RETURN p.purl AS purl") == [{"purl": THING}]

    withdrawn = advisory("PYSEC-1", "Thing", withdrawn="2026-02-01T00:00:00Z")
    local.write([withdrawn, advisory("MAL-1", "thing")])
    await synced.sync(full=True, accept_removals=True)
    await summary(resources, message)
    malicious = {"vulnerabilities": ["MAL-1"], "mean": 10.0, "weighted_mean": 10.0}
    assert stored(cypher) == {"1.0": malicious | {"malicious": True}, "2.0": NOTHING}


async def test_new_versions_are_written_with_what_advisories_say(
    resources: Resources, synced: Syncing, local: LocalRecords, cypher: Cypher
) -> None:
    """New versions get them in the same transaction, without an attribution.

    Known versions stay unchanged.
    """
    local.write([advisory("PYSEC-1", "thing", severity=HIGH)])
    await synced.sync()
    await extract(resources, "1.0", "2.0")
    assert stored(cypher)["1.0"]["vulnerabilities"] == ["PYSEC-1"]
    assert await resources.state.unattributed.begun("pypi") == 0
    cypher("MATCH (v:Version {name: '1.0'}) SET v.vulnerabilities = ['X-1']")
    await extract(resources, "1.0", "1.5", "2.0")
    found = stored(cypher)
    assert (found["1.0"]["vulnerabilities"], found["1.5"]["vulnerabilities"]) == (
        ["X-1"],
        ["PYSEC-1"],
    )
    assert found["2.0"] == NOTHING
    assert await resources.state.unattributed.count() == 0


class Wrapped:
    """The store's advisories, with an event after the first look-up."""

    def __init__(self, source: AdvisorySource, happens: Any) -> None:
        self.source = source
        self.happens = happens

    async def naming(self, ecosystem: type[Ecosystem], names: Collection[str]) -> ByName:
        """What there was before it happened."""
        found = await self.source.naming(ecosystem, names)
        happens, self.happens = self.happens, None
        if happens:
            await happens()
        return found


async def test_an_advisory_that_comes_while_a_package_is_written(
    resources: Resources, synced: Syncing, local: LocalRecords, cypher: Cypher
) -> None:
    """The advisory's attribution does not see the package yet, so the extraction looks up again."""

    async def comes() -> None:
        local.write([advisory("PYSEC-1", "thing")])
        await synced.sync()
        assert (await resources.attributor.attribute("pypi", [THING])).packages == 0

    source = Wrapped(StoredAdvisories(resources.vulnerabilities), comes)
    await extract(replace(resources, attributor=attributor(resources, source)), "1.0")
    assert stored(cypher)["1.0"]["vulnerabilities"] == ["PYSEC-1"]


async def test_of_two_attributions_the_newer_advisories_stay(
    resources: Resources, synced: Syncing, local: LocalRecords, cypher: Cypher
) -> None:
    """An attribution looks up again if another one started between its look-up and its write."""
    await extract(resources, "1.0")

    async def comes() -> None:
        local.write([advisory("PYSEC-1", "thing")])
        await synced.sync()
        await resources.attributor.attribute("pypi", [THING])

    source = Wrapped(StoredAdvisories(resources.vulnerabilities), comes)
    await attributor(resources, source).attribute("pypi", [THING])
    assert stored(cypher)["1.0"]["vulnerabilities"] == ["PYSEC-1"]


class Away:
    """An unavailable MongoDB."""

    def __init__(self) -> None:
        self.asked = 0

    async def naming(self, ecosystem: type[Ecosystem], names: Collection[str]) -> ByName:
        """Never."""
        self.asked += 1
        raise StoreUnavailable("vulnerabilities", f"no answer about {names} of {ecosystem}")


async def test_mongodb_is_away(
    resources: Resources, synced: Syncing, local: LocalRecords, cypher: Cypher
) -> None:
    """Extraction asks MongoDB once, notes the package and continues; the sweep attributes it."""
    local.write([advisory("PYSEC-1", "thing")])
    await synced.sync()
    source = Away()
    away = replace(resources, attributor=attributor(resources, source))
    await extract(away, "1.0")
    await extract(away, "1.0", "1.5")
    assert source.asked == 1
    assert stored(cypher) == {"1.0": NOTHING, "1.5": NOTHING}
    waiting = resources.state.unattributed
    assert list(await waiting.some(10)) == [THING]
    with pytest.raises(StoreUnavailable):
        await away.attributor.attribute_waiting()
    assert await waiting.count() == 1

    await waiting.add([Purl("pkg:unheard/of"), Purl("pkg:pypi/absent")])
    assert await resources.attributor.attribute_waiting() == 2
    assert [each["vulnerabilities"] for each in stored(cypher).values()] == [["PYSEC-1"]] * 2
    assert await waiting.count() == 0


@pytest.mark.parametrize("moment", ["before the write", "during the sweep's attribution"])
async def test_a_sweep_while_a_package_is_written_without_advisories(
    resources: Resources, synced: Syncing, local: LocalRecords, cypher: Cypher, moment: str
) -> None:
    """A sweep that does not see the new versions leaves the package to the next sweep."""
    local.write([advisory("PYSEC-1", "thing")])
    await synced.sync()
    await extract(resources, "2.0")
    away = replace(resources, attributor=attributor(resources, Away()))
    if moment == "before the write":
        looked_up = await away.attributor.look_up(PyPI.ref("thing"), [VersionName("1.0")])
        await resources.attributor.attribute_waiting()
        cypher("MATCH (v:Version {name: '2.0'}) SET v.name = '1.0', v.purl = v.purl + '.1'")
        await away.attributor.confirm(PyPI.ref("thing"), looked_up)
    else:
        await resources.state.unattributed.add([THING])
        source = Wrapped(
            StoredAdvisories(resources.vulnerabilities), lambda: extract(away, "1.0", "2.0")
        )
        await attributor(resources, source).attribute_waiting()
    await resources.attributor.attribute_waiting()
    assert stored(cypher)["1.0"]["vulnerabilities"] == ["PYSEC-1"]
    assert await resources.state.unattributed.count() == 0


async def test_a_task_that_cannot_be_carried_out(resources: Resources) -> None:
    """Invalid arguments become a dead letter.

    An unavailable store delays the task without an attempt.
    """

    def message(**kwargs: Any) -> TaskMessage:
        return TaskMessage(task="vulnerabilities.attribute", kwargs=kwargs, queue="pypi.fresh")

    for bad in (
        message(ecosystem="pypi", names=[]),
        message(ecosystem="go", names=["x"]),
        message(ecosystem="pypi", names="thing"),
        message(ecosystem="pypi", args=["thing"]),
    ):
        failed = await resources.attribution_handler().handle(bad)
        assert isinstance(failed, GaveUp)
        assert failed.error_type in {InvalidArguments.__name__, "UnknownEcosystem"}
    assert await resources.state.dead_letters.count() == 4
    unnamable = message(ecosystem="pypi", names=["\N{KELVIN SIGN}eras", "no/name"])
    assert await summary(resources, unnamable) == "0 packages, 0 of 0 versions changed"

    away = replace(resources, attributor=attributor(resources, Away()))
    await extract(resources, "1.0")
    waiting = message(ecosystem="pypi", names=["thing"])
    assert isinstance(await away.attribution_handler().handle(waiting), Delayed)
    assert await resources.state.queues.delayed() == 1
    delayed = str(await resources.state.queues._redis.hget(MESSAGES, waiting.task_id))
    assert json.loads(delayed.partition("\n")[2])["headers"]["attempts"] == 0

    called = replace(message(ecosystem="pypi", names=["thing"]), queue="celery")
    runtime: Any = SimpleNamespace(resources=resources)
    handler = resources.attribution_handler()
    forwarded = await _deliver(runtime, handler, called, "fresh", returned=False)
    assert forwarded == Done(summary="forwarded to pypi.fresh", elsewhere=True)


async def test_a_batch_that_kills_its_process_is_halved(resources: Resources) -> None:
    """Both halves of a batch run alone, as if delivered before; one package is given up."""
    state, handler = resources.state, resources.attribution_handler()
    batch = TaskMessage(
        task="vulnerabilities.attribute",
        kwargs={"ecosystem": "pypi", "names": ["a", "b", "c"]},
        queue="pypi.fresh",
    )
    crash = RuntimeError("the child process exited with code -9")
    assert isinstance(await handler.crashed(batch, crash), Done)
    assert await state.dead_letters.count() == 0
    halves = [json.loads(text) for text in await state.queues._redis.lrange("pypi.fresh", 0, -1)]
    ids = [half["headers"]["id"] for half in halves]
    assert [await state.deliveries.begin(task_id) for task_id in ids] == [2, 2]
    names = [json.loads(b64decode(half["body"]))[1]["names"] for half in halves]
    assert sorted(names) == [["a"], ["b", "c"]]

    single = replace(batch, kwargs={"ecosystem": "pypi", "names": ["a"]})
    assert isinstance(await handler.crashed(single, crash), GaveUp)
    assert [each.kwargs["names"] async for each in state.dead_letters.all()] == [["a"]]


async def test_many_extractions_share_a_look_up(resources: Resources) -> None:
    """Simultaneous look-ups are one query."""
    asked: list[Collection[str]] = []

    class Counting:
        async def naming(self, ecosystem: type[Ecosystem], names: Collection[str]) -> ByName:
            assert ecosystem is PyPI
            asked.append(names)
            return {}

    found = attributor(resources, Counting())
    refs = [PyPI.ref(f"p{number}") for number in range(50)]
    await asyncio.gather(*(found.look_up(ref, [VersionName("1.0")]) for ref in refs))
    assert len(asked) == 1
    assert len(asked[0]) == 50
