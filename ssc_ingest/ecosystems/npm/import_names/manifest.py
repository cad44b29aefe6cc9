"""The import names in a version's manifest."""

from collections.abc import Iterable
from typing import Any

from ssc_ingest.ecosystems.npm.import_names.exports import Exports, parse_exports
from ssc_ingest.ecosystems.npm.import_names.types import described_package
from ssc_ingest.ecosystems.npm.packument import Manifest
from ssc_ingest.errors import ArchiveTooLarge


def names_without_download(package: str, manifest: Manifest) -> frozenset[str] | None:
    """The import names of a version whose ``exports`` have no patterns; ``None`` for others."""
    try:
        exports = parse_exports(manifest.exports)
    except ArchiveTooLarge:
        return None
    if exports is None or exports.need_files:
        return None
    return specifiers(package, exports.subpaths(()))


def specifiers(package: str, subpaths: Iterable[str]) -> frozenset[str]:
    """Convert subpaths to the form in programs: ``./sub/path`` to ``package/sub/path``."""
    name = described_package(package)
    return frozenset(name + subpath.removeprefix(".") for subpath in subpaths)


def entries(manifest: Manifest) -> list[str]:
    """The files that the package's name may stand for."""
    browser = manifest.browser if isinstance(manifest.browser, str) else None
    values: list[Any] = [manifest.main, manifest.module, browser, manifest.types, manifest.typings]
    return [value for value in values if isinstance(value, str) and value]


__all__ = ["Exports", "entries", "names_without_download", "parse_exports", "specifiers"]
