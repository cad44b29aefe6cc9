"""Shared documents, in a real Redis."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from ssc_ingest.http.checkpoint import MAX_RESPONSE_SIZE, FetchCheckpoint, StoredResponse
from ssc_ingest.http.checkpoint import TTL as ANSWERS_KEPT_FOR
from ssc_ingest.http.document_cache import (
    IN_PROCESS,
    LARGE,
    LARGE_TTL,
    MAX_SIZE,
    TTL,
    Document,
    DocumentCache,
)
from ssc_ingest.models import Purl, now
from ssc_ingest.resources import State

URL = "https://repo.example/parent-1.pom"
DOCUMENT = Document(b"<project>\n\x00\xff</project>", datetime(2025, 7, 7, 10, 11, 12, tzinfo=UTC))


@pytest.mark.parametrize(
    "document",
    [
        DOCUMENT,
        Document(b""),
        Document(b"\n\n"),
        Document(b"x" * 1_000_000, DOCUMENT.last_modified),
    ],
    ids=["dated", "empty", "lines", "large"],
)
def test_compression_loses_nothing(document: Document) -> None:
    """Bytes and date are restored unchanged."""
    assert Document.unpack(document.pack()) == document


async def test_processes_share_documents(state: State) -> None:
    """Documents stay after the end of the first process, for a day after the last use."""
    first, second = DocumentCache(state.cache), DocumentCache(state.cache)
    assert await second.get(URL) is None
    assert await first.put(URL, DOCUMENT)
    (key,) = await state.cache.keys()
    await state.cache.expire(key, 60)
    assert await second.get(URL) == DOCUMENT
    assert await state.cache.ttl(key) > TTL - 60


async def test_hot_documents_cost_nothing(state: State) -> None:
    """A process keeps recently used documents in memory, even if the cache was flushed."""
    documents = DocumentCache(state.cache)
    await documents.put(URL, DOCUMENT)
    await state.cache.flushdb()
    assert await documents.get(URL) == DOCUMENT
    assert await DocumentCache(state.cache).get(URL) is None


async def test_large_documents_are_shared(state: State) -> None:
    """Large documents expire an hour after their last use and are not kept in the process."""
    documents = DocumentCache(state.cache)
    large = Document(b"<version>1</version>" * (MAX_SIZE // 20), DOCUMENT.last_modified)
    assert await documents.put(URL, large)
    assert not await documents.put(f"{URL}2", Document(b"x" * (MAX_SIZE + 1)))
    (key,) = await state.cache.keys()
    assert await state.cache.strlen(key) < MAX_SIZE / 50
    for reader in (documents, DocumentCache(state.cache)):
        await state.cache.expire(key, 60)
        assert await reader.get(URL) == large
        assert LARGE_TTL - 60 < await state.cache.ttl(key) <= LARGE_TTL
    await state.cache.flushdb()
    assert await documents.get(URL) is None
    assert IN_PROCESS >= 10 * LARGE


async def test_a_process_keeps_the_most_recently_used(state: State) -> None:
    """Beyond the limit in bytes the oldest are dropped, and read from Redis again."""
    documents = DocumentCache(state.cache, in_process=2500)
    for number in range(3):
        await documents.put(f"{URL}{number}", Document(bytes([number]) * 1000))
        await documents.get(f"{URL}0")
    await documents.put(f"{URL}2", Document(b"\x02" * 1000))  # again: counted once
    await state.cache.flushdb()
    kept = [await documents.get(f"{URL}{number}") is not None for number in range(3)]
    assert kept == [True, False, True]


async def test_a_checkpoint_keeps_documents(state: State) -> None:
    """The documents of a delayed extraction are restored with their dates, and can be deleted."""
    checkpoint = FetchCheckpoint()
    checkpoint.keep(URL, DOCUMENT)
    purl = Purl("pkg:maven/g/a")
    await checkpoint.save(state.cache, purl)
    loaded = await FetchCheckpoint.load(state.cache, purl)
    assert loaded.documents == {URL: DOCUMENT}
    await loaded.discard(state.cache, purl)
    assert (await FetchCheckpoint.load(state.cache, purl)).documents == {}


async def test_a_checkpoint_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Documents beyond the limit are omitted; those that fit stay."""
    monkeypatch.setattr("ssc_ingest.http.checkpoint.MAX_SIZE", 100)
    checkpoint = FetchCheckpoint()
    checkpoint.keep(URL, Document(b"x" * 50))
    checkpoint.keep(f"{URL}2", Document(bytes(range(256))))
    assert list(checkpoint.documents) == [URL]


async def test_responses_are_kept_for_the_next_execution(state: State) -> None:
    """Responses keep their age over several executions.

    They are not returned to the current one.
    """
    purl, asked = Purl("pkg:npm/a"), "application/json https://r.example/a"
    answer = StoredResponse("https://r.example/a", b"{}\n\x00", {"etag": '"1"'}, now())
    first = FetchCheckpoint()
    first.store_response(asked, answer)
    first.store_response("large", replace(answer, body=b"x" * (MAX_RESPONSE_SIZE + 1)))
    assert first.answer(asked, at=now()) is None
    await first.save(state.cache, purl)
    second = await FetchCheckpoint.load(state.cache, purl)
    assert second.answer(asked, at=now()) == answer
    assert second.answer("large", at=now()) is None
    await second.save(state.cache, purl)
    third = await FetchCheckpoint.load(state.cache, purl)
    assert third.answer(asked, at=now()) == answer
    later = now() + timedelta(seconds=ANSWERS_KEPT_FOR)
    assert third.answer(asked, at=later) is None
    await third.save(state.cache, purl, answers=False)
    assert await state.cache.dbsize() == 0


async def test_results_replace_documents(state: State) -> None:
    """The result of a document replaces it, also in an earlier checkpoint."""
    purl, other = Purl("pkg:maven/g/a"), f"{URL}2"
    assert not FetchCheckpoint().has_grown
    first = FetchCheckpoint()
    first.keep(URL, Document(b"x" * 1000))
    first.keep(other, DOCUMENT)
    first.replace(URL, b"made of it")
    assert first.has_grown
    await first.save(state.cache, purl)
    second = await FetchCheckpoint.load(state.cache, purl)
    assert not second.has_grown
    assert (second.result(URL), second.result(other)) == (b"made of it", None)
    assert URL not in second.documents
    second.replace(other, b"made of the other")
    await second.save(state.cache, purl)
    third = await FetchCheckpoint.load(state.cache, purl)
    assert third.result(other) == b"made of the other"
    assert not {URL, other} & third.documents.keys()


async def test_results_make_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """The total of a package's documents may exceed the limit of the checkpoint."""
    monkeypatch.setattr("ssc_ingest.http.checkpoint.MAX_SIZE", 1000)
    checkpoint = FetchCheckpoint()
    for number in range(100):
        checkpoint.keep(f"{URL}{number}", Document(b"x" * 900))
        checkpoint.replace(f"{URL}{number}", b"r")
    assert all(checkpoint.result(f"{URL}{number}") == b"r" for number in range(99))
