"""The import names in a project's metadata (PEP 794, core metadata 2.5).

``Import-Name`` may have names that the read file lacks: they are those of all files of a release.
It never removes a name, because an author's mistake, or a lie, must not hide a module that the
files have. So an empty one means nothing here: it adds no name. A ``private`` name can be imported
like any other.

https://packaging.python.org/specifications/core-metadata/#import-name-multiple-use
"""

from collections.abc import Iterable
from dataclasses import dataclass

from ssc_ingest.ecosystems.pypi.headers import parse_headers

MAX_NAMES = 10_000
"""Maximum declared names that are read."""


@dataclass(frozen=True, slots=True)
class DeclaredNames:
    """The declared import names; a namespace at the top has no name of its own."""

    names: frozenset[str] = frozenset()
    shared: frozenset[str] = frozenset()
    """Namespaces at the top."""


def declared_names(metadata: bytes) -> DeclaredNames:
    """Read ``Import-Name`` and ``Import-Namespace`` of a ``METADATA`` or ``PKG-INFO`` file."""
    headers = parse_headers(metadata)
    names = frozenset(_names(headers.all("import-name")))
    namespaces = frozenset(_names(headers.all("import-namespace")))
    shared = frozenset(name for name in namespaces if "." not in name)
    return DeclaredNames(names | (namespaces - shared), shared - names)


def _names(lines: Iterable[str]) -> Iterable[str]:
    for line in list(lines)[:MAX_NAMES]:
        name = line.partition(";")[0].strip()
        if name and all(map(str.isidentifier, name.split("."))):
            yield name
