"""Pure functions that convert changes to the rows of the statements."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, TypeVar

from ssc_ingest.graph.changes import (
    TABLE_CHARACTERS,
    Change,
    Gone,
    NameImports,
    Reading,
    Row,
    Write,
)
from ssc_ingest.graph.diff import Plan
from ssc_ingest.graph.properties import PACKAGE
from ssc_ingest.graph.values import naive_utc
from ssc_ingest.models import PackageRef

Locks = dict[tuple[str, str], Row]
"""The lock row of each package by label and purl, in the order of locking."""

ROWS_PER_STATEMENT = 10_000
"""Maximum nodes and edges per statement."""


class Unprinted(list[Any]):
    """A list whose ``repr`` is only its length.

    The driver formats all parameters for its debug log, even if the log is off, which takes as long
    as encoding them.
    """

    def __repr__(self) -> str:
        return f"<{len(self)} rows>"


ItemT = TypeVar("ItemT")
ChangeT = TypeVar("ChangeT", bound=Change)


def by_label(changes: Iterable[ChangeT]) -> Iterator[tuple[str, list[ChangeT]]]:
    """The changes of each label, in the order of the locks."""
    ordered = sorted(changes, key=lambda change: (change.ref.label, change.ref.purl))
    for label, group in groupby(ordered, key=lambda change: change.ref.label):
        yield label, list(group)


def locks(changes: Iterable[Change], others: Iterable[tuple[str, str]] = ()) -> Locks:
    """All packages of a transaction: changed ones, required ones, and ``others``.

    A stub's name is the first spelling found; a later reading of the package corrects it.
    """
    found: Locks = {}
    changes = tuple(changes)
    for change in changes:
        found[change.ref.label, change.ref.purl] = _lock(change.ref, changes=True)
    for change in changes:
        if isinstance(change, Write):
            for ref in change.required.values():
                if (key := (ref.label, ref.purl)) not in found:
                    found[key] = _lock(ref, changes=False)
    for label, purl in others:
        found.setdefault((label, purl), {"purl": purl, "stub": {}, "changes": False})
    return dict(sorted(found.items()))


def lock_rows(found: Locks) -> Iterator[tuple[str, list[Row]]]:
    """The rows of each label's lock statement."""
    for label, group in groupby(found, key=lambda key: key[0]):
        yield label, [found[key] for key in group]


def package_row(
    change: Reading, gone_since: Any = None, without_facts: int = 0, *, has_names: bool = False
) -> Row:
    """The properties that a reading sets; ``None`` removes one.

    ``gone_since`` keeps the graph's value while the package is gone. ``without_facts`` is the
    number of versions whose facts must still be read. ``has_names``: the graph has import names,
    which no guess replaces. Values that were not read (see :class:`~ssc_ingest.models.Package`)
    keep the graph's values.
    """
    moment = naive_utc(change.fetched_at)
    is_gone = isinstance(change, Gone)
    properties: Row = {"moment": moment, "gone_since": (gone_since or moment) if is_gone else None}
    if is_gone:
        properties["versions_without_facts"] = None  # nobody can read them
    if isinstance(change, Write):
        package = change.package
        properties["versions_without_facts"] = without_facts or None
        properties |= {**package.ref.properties, **PACKAGE.update(PACKAGE.row(package))}
        if package.guessed_import_name and not has_names and not package.import_names:
            properties["import_names"] = [package.guessed_import_name]
    return {"purl": change.ref.purl, "properties": properties}


def names_row(change: NameImports) -> Row:
    """The import names of a version."""
    return {
        "purl": change.ref.purl,
        "version": change.version,
        "names": list(change.names),
        "is_fallback": change.is_fallback,
    }


def claims_name(change: Write) -> bool:
    """Whether a reading sets a name that another package may also have.

    If a registry ignores case, purls are in lower case, so no other package can have the same name.
    """
    ref = change.ref
    if ref.purl == ref.purl.lower() or ref.name == ref.registry_name:
        return False
    return PACKAGE.row(change.package)["name"] is not None


def version_chunks(
    packages: Iterable[tuple[str, Sequence[Row]]], limit: int = ROWS_PER_STATEMENT
) -> Iterator[list[Row]]:
    """Cut packages' new versions into statements of about ``limit`` nodes and edges each."""
    chunk: list[Row] = []
    size = 0
    for purl, versions in packages:
        part: list[Row] = []
        for version in versions:
            weight = 1 + len(version["requirements"])
            if size and size + weight > limit:
                if part:
                    chunk.append({"purl": purl, "versions": part})
                yield chunk
                chunk, part, size = [], [], 0
            part.append(version)
            size += weight
        if part:
            chunk.append({"purl": purl, "versions": part})
    if chunk:
        yield chunk


def version_parameters(chunk: Sequence[Row]) -> Row:
    """The parameters for a chunk of new versions, with required packages as positions in a list."""
    places: dict[str, int] = {}

    def place(purl: str) -> int:
        return places.setdefault(purl, len(places))

    rows = [{"purl": row["purl"], "versions": _versions(row["versions"], place)} for row in chunk]
    return {"rows": rows, "required": list(places)}


def _versions(versions: Sequence[Row], place: Callable[[str], int]) -> list[Row]:
    return [
        {
            # What is absent need not be sent.
            **{name: value for name, value in version.items() if value is not None},
            "requirements": [
                (place(edge[0]),) + edge[1:]  # noqa: RUF005
                for edge in version["requirements"]
            ],
        }
        for version in versions
    ]


def creation_row(write: Write, found: Plan, places: Mapping[str, int]) -> Row:
    """The row of a package that was never read, with required packages as positions."""
    return {
        "place": places[write.ref.purl],
        "purl": write.ref.purl,
        "properties": package_row(write, without_facts=found.without_facts)["properties"],
        "versions": _versions(found.new_versions, places.__getitem__),
    }


def batch(parameters: Row) -> Row:
    """The only parameter of a statement, with lists that the driver does not format."""
    lists = {
        name: Unprinted(value) if isinstance(value, list) else value
        for name, value in parameters.items()
    }
    return {"batch": lists}


def table_chunks(
    tables: Mapping[str, str], characters: int = TABLE_CHARACTERS * ROWS_PER_STATEMENT
) -> Iterator[list[Row]]:
    """Cut tables by digest into statements of about so many characters, in one order."""
    chunk: list[Row] = []
    size = 0
    for digest, text in sorted(tables.items()):
        if chunk and size + len(text) > characters:
            yield chunk
            chunk, size = [], 0
        chunk.append({"digest": digest, "table": text})
        size += len(text)
    if chunk:
        yield chunk


def chunks(items: Sequence[ItemT], limit: int = ROWS_PER_STATEMENT) -> Iterator[Sequence[ItemT]]:
    """Cut rows into statements."""
    for start in range(0, len(items), limit):
        yield items[start : start + limit]


def _lock(ref: PackageRef, *, changes: bool) -> Row:
    return {"purl": ref.purl, "stub": PACKAGE.stub(ref), "changes": changes}
