"""The lock file of the graph server's jars, and the cache."""

import hashlib
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from ssc_ingest.embedded.jars import Jar, JarCache, read_lock

NAME = st.from_regex(r"[a-z][a-z0-9-]{0,20}", fullmatch=True)
DIGEST = st.binary(min_size=32, max_size=32).map(bytes.hex)


def jar(coordinate: str, content: bytes) -> Jar:
    """A jar with these contents."""
    return Jar(coordinate, len(content), hashlib.sha256(content).hexdigest())


def test_path_in_a_maven_repository() -> None:
    """The path follows Maven's repository layout, including the classifier."""
    plain = Jar("org.neo4j:neo4j:5.26.30", 1, "")
    classified = Jar("org.neo4j.procedure:apoc-core:5.26.5:core", 1, "")
    assert plain.path == "org/neo4j/neo4j/5.26.30/neo4j-5.26.30.jar"
    assert classified.path == "org/neo4j/procedure/apoc-core/5.26.5/apoc-core-5.26.5-core.jar"


@given(st.lists(st.builds(Jar, st.builds("{}:{}:1".format, NAME, NAME), st.integers(0), DIGEST)))
def test_lock_round_trip(jars: list[Jar]) -> None:
    """A written lock is read in the same order; comments are ignored."""
    lines = ["# a comment", "", *(f"{jar.sha256} {jar.size} {jar.coordinate}" for jar in jars)]
    assert read_lock("\n".join(lines)) == tuple(jars)


def test_the_committed_lock() -> None:
    """The lock has one Neo4j 5.26, APOC's shaded jar of the same line, and no duplicates."""
    jars = read_lock()
    coordinates = [jar.coordinate for jar in jars]
    assert len(set(coordinates)) == len(jars)
    assert all(len(bytes.fromhex(jar.sha256)) == 32 and jar.size > 0 for jar in jars)
    assert sum(name.startswith("org.neo4j:neo4j:5.26.") for name in coordinates) == 1
    apoc = [name for name in coordinates if name.startswith("org.neo4j.procedure:apoc-core:")]
    assert len(apoc) == 1
    assert apoc[0].startswith("org.neo4j.procedure:apoc-core:5.26.")
    assert apoc[0].endswith(":core")


def test_cache_knows_what_is_missing(tmp_path: Path) -> None:
    """A jar is present only with the size and checksum of the lock."""
    cache = JarCache(tmp_path)
    good, absent, short, altered = (jar(f"org:{name}:1", b"content") for name in "abcd")
    for there, content in ((good, b"content"), (short, b"cont"), (altered, b"CONTENT")):
        cache.path(there).parent.mkdir(parents=True)
        cache.path(there).write_bytes(content)
    assert cache.missing([good, absent, short, altered]) == [absent, short, altered]
