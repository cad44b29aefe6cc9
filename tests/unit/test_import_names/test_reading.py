"""Reading the import names of a version: limits, cache and metrics."""

import asyncio
from typing import Any

import pytest

from ssc_ingest.ecosystems.pypi import PyPI
from ssc_ingest.errors import DeadlineExceeded, MalformedMetadata
from ssc_ingest.import_names.knowledge import is_guess
from ssc_ingest.import_names.reading import NamesReader
from ssc_ingest.metrics import Metrics
from ssc_ingest.models import PackageRef, VersionName

REF = PyPI.ref("web-kit")
ONE = VersionName("1")


class NoCache:
    """A cache that keeps nothing."""

    async def get(self, ref: PackageRef, version: VersionName, read: Any, **_: Any) -> Any:
        """Read."""
        del ref, version
        return await read()


class Registry:
    """A registry whose files have some names."""

    def __init__(self, *names: str, seconds: float = 0) -> None:
        self._names = frozenset(names)
        self._seconds = seconds

    async def read_import_names(self, ref: PackageRef, version: VersionName) -> frozenset[str]:
        """The names."""
        del ref, version
        await asyncio.sleep(self._seconds)
        return self._names


def reader(registry: Registry, metrics: Metrics, *, most: int = 10) -> NamesReader:
    """A reader of that registry."""
    ecosystems: Any = {"pypi": registry}
    cache: Any = NoCache()
    return NamesReader(ecosystems, cache, metrics, most=most, timeout=30, longest=60)


async def test_names_are_cleaned_and_counted() -> None:
    """What is left out is in the metrics."""
    metrics = Metrics()
    names = await reader(Registry("a", "a.b", "a.b.c", "(", "é"), metrics, most=2).read(REF, ONE)
    assert names == ("a", "a.b")
    sample = metrics.registry.get_sample_value
    for reason, number in {"unsafe": 2, "limit": 1}.items():
        labels = {"ecosystem": "pypi", "reason": reason}
        assert sample("ssc_import_names_left_out_total", labels) == number


async def test_names_without_a_safe_one_are_unknown() -> None:
    """Names without a safe one are not an empty list: something can be imported."""
    with pytest.raises(MalformedMetadata, match="none of the 1 import names"):
        await reader(Registry("módulo"), Metrics()).read(REF, ONE)
    assert await reader(Registry(), Metrics()).read(REF, ONE) == ()


async def test_reading_has_a_time_limit() -> None:
    """The error is typed."""
    with pytest.raises(DeadlineExceeded, match=r"took longer than 0\.01 s"):
        await reader(Registry(seconds=60), Metrics()).read(REF, ONE, seconds=0.01)


@pytest.mark.parametrize(
    ("names", "source", "expected"),
    [
        (["web_kit"], None, True),
        (["web_kit"], "1", False),
        (["kit"], None, False),
        (["web_kit", "kit"], None, False),
        ([], None, False),
    ],
)
def test_a_guess_is_the_fall_back_of_no_version(
    names: list[str], source: str | None, *, expected: bool
) -> None:
    """In a migrated graph, all other names were read."""
    assert is_guess(PyPI, REF, names, source) is expected
