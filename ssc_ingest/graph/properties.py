"""Every property of packages, versions and requirements: one table for each.

The statements, rows, differences, stubs, views and migration, and the tables of
``docs/data-model.md`` (``make docs``), are made from these tables. A new property is a field of
:mod:`ssc_ingest.models` that the registries fill, and a row here.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from operator import attrgetter
from typing import Any

from ssc_ingest.graph.values import (
    BOOLEAN,
    DATE,
    FLOAT,
    INTEGER,
    MOMENT,
    STRING,
    STRINGS,
    UNIQUE,
    Type,
)
from ssc_ingest.models import NOT_AVAILABLE, Package, PackageRef


class Update(Enum):
    """Who sets a property, and what a later reading of the package does to it."""

    FIXED = auto()
    """It is part of the identity: set from the model once, and never compared."""
    FOLLOW = auto()
    """It becomes what the registry says now; ``None`` removes it."""
    KEEP = auto()
    """It becomes what the registry says; ``None`` means "not read" and leaves what is known."""
    WRITER = auto()
    """The writer computes it, by rules of its own (``changes``, ``diff`` and ``rows``)."""
    ELSEWHERE = auto()
    """Another part of the program sets and removes it; readings leave it alone."""


_FROM_MODELS = {Update.FIXED, Update.FOLLOW, Update.KEEP}


@dataclass(frozen=True, slots=True, kw_only=True)
class Property:
    """A row of a table."""

    name: str
    type: Type
    update: Update
    about: str
    """What it means, for the documentation."""
    source: str | Callable[[Any], Any] = ""
    """Attribute of the model (dots allowed) or a function of it; empty: the property's name."""
    default: Any = None
    """Stored value of a new node or edge until something is known, and what readers take an
    absent property for. ``None``: absent. ``...``: always known."""
    stub: str = ""
    """Attribute of the :class:`~ssc_ingest.models.PackageRef` that a stub takes it from."""

    @property
    def get(self) -> Callable[[Any], Any]:
        """The function from the model to the value that is stored."""
        source = self.source or self.name
        get = attrgetter(source) if isinstance(source, str) else source
        encode = self.type.encode
        if encode is None:
            return get
        return lambda model: None if (value := get(model)) is None else encode(value)

    @property
    def path(self) -> str | None:
        """The attribute of the model that is stored as it is; ``None`` if there is none."""
        source = self.source or self.name
        return source if isinstance(source, str) and self.type.encode is None else None

    def decode(self, stored: Any) -> Any:
        """A stored value as readers see it."""
        value = self.default if stored is None and self.default is not ... else stored
        return value if value is None or self.type.decode is None else self.type.decode(value)


class Table:
    """The properties of one kind of node or edge."""

    def __init__(self, *properties: Property) -> None:
        self.properties = properties
        self.names = tuple(p.name for p in properties)
        self.written = tuple(p.name for p in properties if p.update is not Update.ELSEWHERE)
        """Those that readings set and compare, in the order of :meth:`stored`."""
        self.defaults = {p.name: p.default for p in properties if p.default not in (None, ...)}
        """What a new node has until something is known."""
        sourced = [p for p in properties if p.update in _FROM_MODELS]
        self.sourced = tuple(p.name for p in sourced)
        """Those that come from a model."""
        self._paths = [p.path for p in sourced]
        self._sources = {p.name: p.get for p in sourced}
        self._updated = [
            (p.name, p.update is Update.KEEP)
            for p in properties
            if p.update in {Update.FOLLOW, Update.KEEP}
        ]
        self._stub = [(p.name, attrgetter(p.stub)) for p in properties if p.stub]

    # What a model says ----------------------------------------------------------------------

    def row(self, model: Any) -> dict[str, Any]:
        """The stored form of what the model says; ``None`` for what it does not say."""
        return {name: get(model) for name, get in self._sources.items()}

    def update(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """What a reading sets on a node whose properties were not read; ``None`` removes."""
        return {
            name: row[name] for name, keep in self._updated if not keep or row[name] is not None
        }

    def changes(self, row: Mapping[str, Any], stored: Mapping[str, Any]) -> dict[str, Any]:
        """What a reading sets on a node that has other values; ``None`` removes."""
        return {
            name: value
            for name, keep in self._updated
            if (value := row[name]) != stored[name] and not (keep and value is None)
        }

    def reader(self, first: str) -> Callable[[Any], tuple[Any, ...]]:
        """The function from a model to its attribute ``first`` and the ``sourced`` values."""
        paths = [path for path in self._paths if path is not None]
        if len(paths) == len(self._paths):
            return attrgetter(first, *paths)  # several times as fast, and there are many edges
        getters: list[Callable[[Any], Any]] = [attrgetter(first), *self._sources.values()]
        return lambda model: tuple([get(model) for get in getters])

    def stub(self, ref: PackageRef) -> dict[str, Any]:
        """What a package has that is only known as a requirement."""
        row = {**ref.properties, **self.defaults}
        for name, get in self._stub:
            row[name] = get(ref)
        return row

    # What the graph says --------------------------------------------------------------------

    def stored(self, values: Sequence[Any]) -> dict[str, Any]:
        """The properties by name, of a node that :meth:`cypher_list` has read."""
        return dict(zip(self.written, values, strict=True))

    def view(self, node: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
        """Those of the named properties that the table has, as readers see them."""
        wanted = set(names)
        return {p.name: p.decode(node.get(p.name)) for p in self.properties if p.name in wanted}

    # Cypher ---------------------------------------------------------------------------------

    def cypher_list(self, variable: str) -> str:
        """``[version.name, ...]``: what is written, for :meth:`stored`."""
        return f"[{', '.join(f'{variable}.{name}' for name in self.written)}]"

    def cypher_map(self, variable: str) -> str:
        """``version{.name, ...}``: all properties by name, ``null`` where one is absent."""
        return f"{variable}{{{', '.join(f'.{name}' for name in self.names)}}}"

    def cypher_node(self, variable: str) -> str:
        """``{name: new.name, mean: 0.0, ...}``: those of a new node, from a row and defaults."""
        literals = {name: json.dumps(value) for name, value in self.defaults.items()}
        return _cypher(literals | {name: f"{variable}.{name}" for name in self.written})

    def cypher_edge(self, variable: str, **others: str) -> str:
        """``{constraints: edge[1], ...}``: those of a new edge, from what :meth:`reader` gave."""
        given = {name: f"{variable}[{place}]" for place, name in enumerate(self.sourced, 1)}
        return _cypher(given | others)


def _cypher(expressions: Mapping[str, str]) -> str:
    return f"{{{', '.join(f'{name}: {value}' for name, value in expressions.items())}}}"


def _spelled(attribute: str) -> Callable[[Package], str | None]:
    """Of the reference, where the registry was asked for its own spelling."""

    def get(package: Package) -> str | None:
        is_read = package.vendor is not None or package.repository_url is not None
        return getattr(package.ref, attribute) if is_read else None

    return get


PACKAGE = Table(
    Property(
        name="purl",
        type=UNIQUE,
        update=Update.FIXED,
        source="ref.purl",
        default=...,
        about="identity, without version",
    ),
    Property(
        name="name",
        type=STRING,
        update=Update.KEEP,
        source=_spelled("name"),
        default=...,
        stub="name",
        about="what readers look up: the registry's name in lower case. A stub's is provisional, "
        "as the requirement spelled it",
    ),
    Property(
        name="registry_name",
        type=STRING,
        update=Update.KEEP,
        source=_spelled("registry_name"),
        default=...,
        stub="registry_name",
        about="the registry's own spelling, for requests",
    ),
    Property(
        name="vendor",
        type=STRING,
        update=Update.KEEP,
        default=NOT_AVAILABLE,
        about="owner of the repository or scope, `n/a` where unknown",
    ),
    Property(
        name="repository_url",
        type=STRING,
        update=Update.KEEP,
        default=NOT_AVAILABLE,
        about="`n/a` where unknown",
    ),
    Property(
        name="import_names",
        type=STRINGS,
        update=Update.KEEP,
        default=[],
        about="what source code imports, sorted",
    ),
    Property(
        name="moment",
        type=MOMENT,
        update=Update.WRITER,
        about="when the registry was last asked",
    ),
    Property(
        name="latest",
        type=STRING,
        update=Update.FOLLOW,
        about="the version that a plain install takes: the highest stable one that is not yanked",
    ),
    Property(
        name="group_id",
        type=STRING,
        update=Update.WRITER,
        default=...,
        about="Maven only: one of its coordinates, as the registry spells it",
    ),
    Property(
        name="artifact_id",
        type=STRING,
        update=Update.WRITER,
        default=...,
        about="Maven only: the other one",
    ),
    Property(
        name="etag",
        type=STRING,
        update=Update.FOLLOW,
        about="the registry's validator of the document that this was read from",
    ),
    Property(
        name="gone_since",
        type=MOMENT,
        update=Update.WRITER,
        about="when the registry was first asked and did not have the package any more; absent on "
        "all others",
    ),
)
"""Of packages. Further properties of a reference (``PackageRef.properties``) are written as they
are, on stubs as well: ``group_id`` and ``artifact_id``."""

VERSION = Table(
    Property(
        name="purl",
        type=UNIQUE,
        update=Update.FIXED,
        default=...,
        about="the package's purl, `@`, the version percent-encoded",
    ),
    Property(
        name="name",
        type=STRING,
        update=Update.FIXED,
        default=...,
        about="the version as the registry spells it; NuGet's in normalised form "
        "(`1.0` is `1.0.0`)",
    ),
    Property(
        name="serial_number",
        type=INTEGER,
        update=Update.WRITER,
        default=...,
        about="0 … n-1 in the ecosystem's order, prereleases and yanked ones included; those that "
        "no ordering can parse come first. Renumbered in the same transaction that adds versions",
    ),
    Property(
        name="release_date",
        type=DATE,
        update=Update.KEEP,
        about="ISO 8601, UTC",
    ),
    Property(
        name="vulnerabilities",
        type=STRINGS,
        update=Update.ELSEWHERE,
        default=[],
        about="ids of the advisories that affect it; empty until advisories are synced",
    ),
    Property(
        name="mean",
        type=FLOAT,
        update=Update.ELSEWHERE,
        default=0.0,
        about="mean of the CVSS 3 scores of its advisories, `sum(s)/n`; 0.0 where there are none",
    ),
    Property(
        name="weighted_mean",
        type=FLOAT,
        update=Update.ELSEWHERE,
        default=0.0,
        about="the same, weighted: `sum(s²)/sum(s)`",
    ),
    Property(
        name="yanked",
        type=BOOLEAN,
        update=Update.FOLLOW,
        default=False,
        about="withdrawn by its publisher; of NuGet, unlisted",
    ),
    Property(
        name="requirements_digest",
        type=STRING,
        update=Update.WRITER,
        about="fingerprint of the requirements as the registry gave them, so that unchanged ones "
        "are not compared edge by edge",
    ),
)
"""Of versions."""

REQUIREMENT = Table(
    Property(
        name="constraints",
        type=STRING,
        update=Update.FOLLOW,
        default=...,
        about="the accepted range in the notation of the ecosystem's version class in "
        "[univers](https://github.com/aboutcode-org/univers) 31.1.0; `any` for every version; "
        "never empty",
    ),
    Property(
        name="parent_version_name",
        type=STRING,
        update=Update.WRITER,
        about="purl of the package that owns the version. On an edge from a `RequirementFile` it "
        "is absent",
    ),
)
"""Of the edges from versions to packages, which become equal to the registry's requirements."""
