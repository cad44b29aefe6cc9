"""What a deferred extraction has already read, kept for its next execution.

When a host's rate limit, the execution's time-out or a store that is away ends the work half-way,
what was read so far goes to the cache under the package's purl, so that the next execution goes on
instead of starting again: documents that never change under their address, and answers about the
package, which are as old as they are (:attr:`RequestScope.as_of`) and not used after ten minutes.
Of a document that was worked through, the result is kept instead (:meth:`FetchCheckpoint.replace`):
it is smaller, and the work is not done again. Errors are never kept. An extraction that succeeds at
once never touches the cache: what it has read is in the graph.
"""

import asyncio
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from redis.asyncio import Redis

from ssc_ingest.http.document_cache import Document
from ssc_ingest.models import Purl

KIND = "carryover"

TTL = 600
"""Seconds; the cache time of package and version metadata."""

KEPT = 3600
"""Seconds after the last execution: a long reading must survive the waits between its parts."""

MAX_SIZE = 64 * 1024 * 1024
"""Bytes of documents kept for one package; what goes beyond is read again."""

MAX_RESPONSE_SIZE = 2 * 1024 * 1024
"""Bytes of one answer, which stays in memory until its package is in the graph."""

_ABSENT = b""
_RESULT = "result "
_ANSWER = "answer "


@dataclass(frozen=True, slots=True)
class StoredResponse:
    """A whole answer (status 200) about a package, as it was at ``read_at``."""

    url: str
    """Where it came from in the end."""
    body: bytes
    headers: dict[str, str]
    read_at: datetime

    def pack(self) -> bytes:
        """As one text for a store."""
        facts = {"url": self.url, "headers": self.headers, "read_at": self.read_at.isoformat()}
        return Document(json.dumps(facts).encode() + b"\n" + self.body).pack()

    @classmethod
    def unpack(cls, packed: bytes) -> "StoredResponse":
        """What :meth:`pack` made."""
        facts, _, body = Document.unpack(packed).body.partition(b"\n")
        known = json.loads(facts)
        return cls(known["url"], body, known["headers"], datetime.fromisoformat(known["read_at"]))


class FetchCheckpoint:
    """What was read about one package, by URL; ``None`` for a document that does not exist."""

    def __init__(
        self,
        documents: dict[str, Document | None] | None = None,
        earlier: dict[str, StoredResponse] | None = None,
    ) -> None:
        """Go on with what an earlier execution has left, if it has."""
        self.documents = documents or {}
        self._earlier = earlier or {}
        self.is_loaded = bool(self.documents or self._earlier)
        """Whether an earlier execution has left anything."""
        self._new: dict[str, Document | None] = {}
        self._answers: dict[str, StoredResponse] = {}
        self._superfluous: list[str] = []
        self._size = sum(map(_size, self.documents.values()))
        self.has_grown = False
        """Whether this execution has read anything that the next one need not read."""

    def keep(self, url: str, document: Document | None) -> None:
        """Keep a document for the next execution, as long as there is room."""
        if self._size + _size(document) <= MAX_SIZE:
            self._size += _size(document)
            self.documents[url] = self._new[url] = document
            self.has_grown = True

    def replace(self, url: str, result: bytes) -> None:
        """Keep what was made of a document instead of the document."""
        if url in self.documents:
            self._size -= _size(self.documents.pop(url))
            if url in self._new:
                del self._new[url]
            else:
                self._superfluous.append(url)
        self.keep(_RESULT + url, Document(result))

    def result(self, url: str) -> bytes | None:
        """What an earlier execution has made of the document."""
        document = self.documents.get(_RESULT + url)
        return document.body if document else None

    def answer(self, question: str, *, at: datetime) -> StoredResponse | None:
        """What an earlier execution was answered, unless that is too long ago now.

        Not what this one was: who asks again wants another answer.
        """
        answer = self._earlier.get(question)
        return answer if answer and (at - answer.read_at).total_seconds() < TTL else None

    def store_response(self, question: str, answer: StoredResponse) -> None:
        """Keep an answer for the next execution, unless it is large."""
        if len(answer.body) <= MAX_RESPONSE_SIZE:
            self._answers[question] = answer
            self.has_grown = True

    @classmethod
    async def load(cls, cache: Redis, purl: Purl) -> "FetchCheckpoint":
        """What the previous execution left."""
        stored: Any = await cache.hgetall(_key(purl))
        documents: dict[str, Document | None] = {}
        answers: dict[str, StoredResponse] = {}
        for field, packed in stored.items():
            name = field.decode()
            if name.startswith(_ANSWER):
                answers[name.removeprefix(_ANSWER)] = StoredResponse.unpack(packed)
            else:
                documents[name] = Document.unpack(packed) if packed else None
        return cls(documents, answers)

    async def save(self, cache: Redis, purl: Purl, *, answers: bool = True) -> None:
        """Keep it all for the next execution; ``answers``: whether those are of any use.

        Only what is new is written: work that waits for a host may come back many times.
        """
        packed: dict[Any, Any] = await asyncio.to_thread(_packed, dict(self._new))
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
        """Forget them: the package is in the graph."""
        await cache.delete(_key(purl))


def _packed(documents: dict[str, Document | None]) -> dict[str, bytes]:
    return {url: document.pack() if document else _ABSENT for url, document in documents.items()}


def _size(document: Document | None) -> int:
    return len(document.body) if document else 0


def _key(purl: Purl) -> str:
    return f"{KIND}:{purl}"
