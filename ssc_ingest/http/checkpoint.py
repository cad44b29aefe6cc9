"""The checkpoint of a delayed extraction, from which the next attempt continues.

A host's rate limit, the time limit or an unavailable store may stop an extraction before it is
complete. Its documents then go to the cache under the package's purl. Immutable documents are kept
as they are. Responses about the package keep their age (:attr:`RequestScope.as_of`) and are not
used after ten minutes. The result of a processed document replaces the document
(:meth:`FetchCheckpoint.replace`): it is smaller, and the work is not repeated. Errors are never
kept. An extraction that succeeds at once does not use the cache, because its results are in the
graph.
"""

import asyncio
import json
from collections.abc import Iterator, Mapping, MutableMapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from redis.asyncio import Redis

from ssc_ingest.http.document_cache import Document
from ssc_ingest.models import Purl

KIND = "carryover"

TTL = 600
"""Seconds for which responses about a package may be used."""

KEPT = 3600
"""Seconds after the last attempt; longer than the waits between the attempts of a long
extraction."""

MAX_SIZE = 64 * 1024 * 1024
"""Maximum bytes of documents per package, packed ones as they are; further documents are requested
again."""

MAX_RESPONSE_SIZE = 2 * 1024 * 1024
"""Maximum bytes of one response, which stays in memory until its package is in the graph."""

_ABSENT = b""
_RESULT = "result "
_ANSWER = "answer "


@dataclass(frozen=True, slots=True)
class StoredResponse:
    """A complete response (status 200) about a package, received at ``read_at``."""

    url: str
    """The final URL, after redirects."""
    body: bytes
    headers: dict[str, str]
    read_at: datetime

    def pack(self) -> bytes:
        """Encode for Redis."""
        facts = {"url": self.url, "headers": self.headers, "read_at": self.read_at.isoformat()}
        return Document(json.dumps(facts).encode() + b"\n" + self.body).pack()

    @classmethod
    def unpack(cls, packed: bytes) -> "StoredResponse":
        """Decode the result of :meth:`pack`."""
        facts, _, body = Document.unpack(packed).body.partition(b"\n")
        known = json.loads(facts)
        return cls(known["url"], body, known["headers"], datetime.fromisoformat(known["read_at"]))


class _Documents(MutableMapping[str, Document | None]):
    """Documents by URL; those of an earlier attempt stay packed until they are used."""

    def __init__(self, packed: Mapping[str, bytes]) -> None:
        self._kept: dict[str, Document | bytes | None] = dict(packed)

    def __getitem__(self, url: str) -> Document | None:
        kept = self._kept[url]
        if isinstance(kept, bytes):
            return Document.unpack(kept) if kept else None
        return kept

    def __setitem__(self, url: str, document: Document | None) -> None:
        self._kept[url] = document

    def __delitem__(self, url: str) -> None:
        del self._kept[url]

    def __iter__(self) -> Iterator[str]:
        return iter(self._kept)

    def __len__(self) -> int:
        return len(self._kept)


class FetchCheckpoint:
    """The documents of one package by URL; ``None`` for a document that does not exist.

    Most work is delayed several times. So an attempt unpacks only what it uses, and stores only
    what is new.
    """

    def __init__(
        self,
        documents: Mapping[str, bytes] | None = None,
        answers: Mapping[str, bytes] | None = None,
    ) -> None:
        """Take over the packed checkpoint of an earlier attempt, if there is one."""
        self.documents: MutableMapping[str, Document | None] = _Documents(documents or {})
        self._earlier = answers or {}
        self.is_loaded = bool(self.documents or self._earlier)
        """Whether an earlier attempt left a checkpoint."""
        self._new: dict[str, Document | None] = {}
        self._answers: dict[str, StoredResponse] = {}
        self._superfluous: list[str] = []
        self._sizes = {url: len(packed) for url, packed in (documents or {}).items()}
        self._size = sum(self._sizes.values())
        self.has_grown = False
        """Whether this attempt has read documents that the next one can skip."""

    def keep(self, url: str, document: Document | None) -> None:
        """Keep a document for the next attempt, up to the size limit."""
        if self._size + _size(document) <= MAX_SIZE:
            self._resize(url, _size(document))
            self.documents[url] = self._new[url] = document
            self.has_grown = True

    def replace(self, url: str, result: bytes) -> None:
        """Replace a document by its result."""
        if url in self.documents:
            self._resize(url, 0)
            del self.documents[url]
            if url in self._new:
                del self._new[url]
            else:
                self._superfluous.append(url)
        self.keep(_RESULT + url, Document(result))

    def _resize(self, url: str, size: int) -> None:
        self._size += size - self._sizes.get(url, 0)
        self._sizes[url] = size

    def result(self, url: str) -> bytes | None:
        """The result of a document from an earlier attempt."""
        document = self.documents.get(_RESULT + url)
        return document.body if document else None

    def answer(self, question: str, *, at: datetime) -> StoredResponse | None:
        """The response to an earlier attempt, unless it is too old.

        Responses to this attempt are not returned: a repeated request expects a new response.
        """
        if (packed := self._earlier.get(question)) is None:
            return None
        answer = StoredResponse.unpack(packed)
        return answer if (at - answer.read_at).total_seconds() < TTL else None

    def store_response(self, question: str, answer: StoredResponse) -> None:
        """Keep a response for the next attempt, unless it is too large."""
        if len(answer.body) <= MAX_RESPONSE_SIZE:
            self._answers[question] = answer
            self.has_grown = True

    @classmethod
    async def load(cls, cache: Redis, purl: Purl) -> "FetchCheckpoint":
        """The checkpoint of the previous attempt."""
        stored: Any = await cache.hgetall(_key(purl))
        documents: dict[str, bytes] = {}
        answers: dict[str, bytes] = {}
        for field, packed in stored.items():
            name = field.decode()
            if name.startswith(_ANSWER):
                answers[name.removeprefix(_ANSWER)] = packed
            else:
                documents[name] = packed
        return cls(documents, answers)

    async def save(self, cache: Redis, purl: Purl, *, answers: bool = True) -> None:
        """Store the checkpoint for the next attempt; ``answers``: whether to store responses, too.

        Writes only new entries, because work that waits for a host may have many attempts.
        """
        packed: dict[Any, Any] = {}
        if self._new:
            packed = await asyncio.to_thread(_packed, dict(self._new))
        if answers:
            packed |= {_ANSWER + question: kept.pack() for question, kept in self._answers.items()}
        if not packed and not self.is_loaded:
            return
        async with cache.pipeline(transaction=True) as pipeline:
            superfluous = [*self._superfluous]
            if not answers:
                superfluous += (_ANSWER + question for question in self._earlier)
            if superfluous:
                pipeline.hdel(_key(purl), *superfluous)
            if packed:
                pipeline.hset(_key(purl), mapping=packed)
            pipeline.expire(_key(purl), KEPT)
            await pipeline.execute()

    async def discard(self, cache: Redis, purl: Purl) -> None:
        """Delete the checkpoint, because the package is in the graph."""
        await cache.delete(_key(purl))


def _packed(documents: dict[str, Document | None]) -> dict[str, bytes]:
    return {url: document.pack() if document else _ABSENT for url, document in documents.items()}


def _size(document: Document | None) -> int:
    return len(document.body) if document else 0


def _key(purl: Purl) -> str:
    return f"{KIND}:{purl}"
