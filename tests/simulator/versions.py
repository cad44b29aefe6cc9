"""The sequence of a package's version numbers and dates."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from itertools import islice
from random import Random
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from tests.simulator.ecosystem import Ecosystem

FIRST_RELEASES = datetime(2012, 1, 1, tzinfo=UTC)
LAST_RELEASES = datetime(2026, 6, 1, tzinfo=UTC)


class Stage(IntEnum):
    """The position of a release before or after the final one of the same number."""

    DEV = 0
    ALPHA = 1
    BETA = 2
    RC = 3
    FINAL = 4
    POST = 5


class Number(NamedTuple):
    """An abstract version, spelled by an ecosystem. ``build`` counts from 1, 0 is none."""

    epoch: int
    major: int
    minor: int
    patch: int
    stage: Stage = Stage.FINAL
    serial: int = 0
    build: int = 0


def ascending(rng: Random, eco: "Ecosystem", count: int, *, plain: bool) -> list[Number]:
    """The numbers of ``count`` releases in version order; the last may be a prerelease."""
    return list(islice(_line(rng, eco, odd=not plain and rng.random() < 0.2), count))


def _line(rng: Random, eco: "Ecosystem", *, odd: bool) -> Iterator[Number]:
    only_prereleases = rng.random() < 0.02
    prereleases = only_prereleases or rng.random() < 0.35
    number = Number(0, *rng.choice(((0, 0, 1), (0, 1, 0), (1, 0, 0))))
    while True:
        if prereleases and (only_prereleases or rng.random() < 0.3):
            for stage in eco.prerelease_stages:
                # Sometimes past ten: "rc.10" comes after "rc.9".
                for serial in range(1, rng.choice((1, 2, 2, 3, 12))):
                    yield number._replace(stage=stage, serial=serial)
        if not only_prereleases:
            yield from _final(rng, eco, number, odd=odd)
        if odd and eco.has_epochs and number.epoch == 0 and rng.random() < 0.02:
            number = Number(1, 0, 1, 0)
        else:
            number = _next(rng, number)


def _final(rng: Random, eco: "Ecosystem", number: Number, *, odd: bool) -> Iterator[Number]:
    if odd and eco.has_builds and rng.random() < 0.1:
        # Equal in precedence; date and text order them.
        yield number._replace(build=1)
        yield number._replace(build=2)
    else:
        yield number
    if odd and eco.has_post_releases and rng.random() < 0.1:
        yield number._replace(stage=Stage.POST, serial=1)


def _next(rng: Random, number: Number) -> Number:
    step = rng.random()
    if step < 0.6:
        return number._replace(patch=number.patch + 1)
    if step < 0.9:
        return number._replace(minor=number.minor + 1, patch=0)
    return number._replace(major=number.major + 1, minor=0, patch=0)


def dates(rng: Random, count: int, resolution: timedelta) -> list[datetime]:
    """Ascending, distinct, in the resolution of the registry."""
    whole = LAST_RELEASES - FIRST_RELEASES
    begin = FIRST_RELEASES + whole * (0.8 * rng.random())
    step = (LAST_RELEASES - begin) * (0.3 + 0.7 * rng.random()) / max(count, 1)
    unit = resolution // timedelta(microseconds=1)
    found = []
    for position in range(count):
        moment = begin + step * (position + 0.9 * rng.random())
        micros = (moment - FIRST_RELEASES) // timedelta(microseconds=1)
        found.append(FIRST_RELEASES + timedelta(microseconds=micros - micros % unit))
    return found
