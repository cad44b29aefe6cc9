"""The known records of one ecosystem, in 17 bytes each.

A full sync compares every record of a dump with the known ones. A query of the store for each
record would take most of the time, and a dictionary of half a million ids and digests would take
100 MB.
"""

from array import array
from bisect import bisect_left
from collections.abc import AsyncIterable
from hashlib import blake2b
from typing import Self

_MASK = 2**64 - 1


class Known:
    """Ids with the digests of their records, and which of them the dump has.

    Both are stored as 64-bit hashes: for half a million records, the probability of a collision of
    ids is 1 to 10^8.
    """

    def __init__(self, pairs: list[int]) -> None:
        """``pairs``: upper 64 bits: the hash of an id; lower 64 bits: of its digest."""
        pairs.sort()
        self._ids = array("Q", (pair >> 64 for pair in pairs))
        self._digests = array("Q", (pair & _MASK for pair in pairs))
        self._seen = bytearray(len(pairs))

    @classmethod
    async def load(cls, rows: AsyncIterable[tuple[str, str]]) -> Self:
        """Load ids and hexadecimal digests; an empty digest equals no other."""
        return cls([_hash(i) << 64 | _number(digest) async for i, digest in rows])

    def __len__(self) -> int:
        return len(self._ids)

    def __contains__(self, record_id: str) -> bool:
        return self._position(record_id) is not None

    def see(self, record_id: str) -> None:
        """Note that the dump has this record."""
        if (position := self._position(record_id)) is not None:
            self._seen[position] = 1

    def has_seen(self, record_id: str) -> bool:
        """Whether the dump has this record."""
        position = self._position(record_id)
        return position is not None and bool(self._seen[position])

    @property
    def unseen(self) -> int:
        """Number of known records that the dump does not have."""
        return len(self._seen) - sum(self._seen)

    def is_current(self, record_id: str, digest: str) -> bool:
        """Whether the known record has this content."""
        position = self._position(record_id)
        return position is not None and self._digests[position] == _number(digest)

    def _position(self, record_id: str) -> int | None:
        wanted = _hash(record_id)
        position = bisect_left(self._ids, wanted)
        found = position < len(self._ids) and self._ids[position] == wanted
        return position if found else None


def _hash(record_id: str) -> int:
    return int.from_bytes(blake2b(record_id.encode(), digest_size=8).digest(), "big")


def _number(digest: str) -> int:
    return int(digest[:16] or "0", 16)
