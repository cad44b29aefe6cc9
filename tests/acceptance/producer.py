"""A program that requests packages: it knows Redis, JSON and the stream, and nothing of ours."""

import json
import random
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from redis import Redis

LABELS = {
    "pypi": "PyPIPackage",
    "npm": "NPMPackage",
    "maven": "MavenPackage",
    "cargo": "CargoPackage",
    "rubygems": "RubyGemsPackage",
    "nuget": "NuGetPackage",
}

STREAMS = ("package-extraction", "package_extraction")


class Message(NamedTuple):
    """An entry to write."""

    stream: str
    data: str | bytes


def of_a_release(label: str, package: str, **fields: Any) -> str:
    """As the producers' releases write it."""
    return json.dumps(
        {
            "node_type": label,
            "package": package,
            "vendor": "n/a",
            "repository_url": None,
            "moment": "2025-06-01T12:00:00",
            "constraints": None,
            "parent_id": None,
            "parent_version": None,
            "refresh": False,
            **fields,
        }
    )


def of_main(label: str, package: str, **fields: Any) -> str:
    """As the producers' main branch writes it."""
    return json.dumps(
        {
            "node_type": label,
            "package": package,
            "vendor": "n/a",
            "repository_url": "n/a",
            "constraints": "",
            "parent_id": None,
            "parent_version": None,
            "refresh": False,
            "moment": "2025-11-18T10:00:00.123456",
            **fields,
        }
    )


GARBAGE: tuple[str | bytes, ...] = (
    of_main("PyPIPackage", ""),
    of_main("PyPIPackage", "-rbase.txt"),
    of_a_release("PyPIPackage", "-e."),
    of_main("PyPIPackage", "git+https://github.com/a/b"),
    of_main("MavenPackage", "${project.groupId}:mod"),
    of_a_release("MavenPackage", "com.Foo :Bar"),
    of_main("MavenPackage", "junit"),
    of_main("CargoPackage", "the-repositorys-own-crate"),
    of_main("NPMPackage", "left-pad", constraints="file:../left-pad"),
    of_main("NPMPackage", "left-pad", constraints="workspace:*"),
    of_main("GoPackage", "github.com/a/b"),
    "not JSON",
    b"\xff\xfe",
    "[]",
    '{"package": "x"}',
)
"""What real manifests produce, and worse."""


def mixed(good: Iterable[tuple[str, str]], bad: int, rng: random.Random) -> Iterator[Message]:
    """Good messages of both generations on both streams, and so many bad ones among them."""
    messages = [
        Message(
            STREAMS[n // 2 % 2],
            (of_a_release, of_main)[n % 2](LABELS[ecosystem], name),
        )
        for n, (ecosystem, name) in enumerate(good)
    ]
    for n in range(bad):
        content = GARBAGE[n % len(GARBAGE)]
        messages.insert(rng.randrange(len(messages) + 1), Message(STREAMS[n % 2], content))
    yield from messages


def send(url: str, messages: Iterable[Message]) -> int:
    """Write the entries; returns how many."""
    count = 0
    with Redis.from_url(url) as redis, redis.pipeline(transaction=False) as pipeline:
        for message in messages:
            pipeline.xadd(message.stream, {"data": message.data})
            count += 1
            if count % 1000 == 0:
                pipeline.execute()
        pipeline.execute()
    return count
