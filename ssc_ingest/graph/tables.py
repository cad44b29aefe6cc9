"""A table of properties, and its uses: rows, differences, stubs, views, Cypher."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from enum import Enum, auto
from operator import attrgetter
from typing import Any

from ssc_ingest.graph.values import FEW, FLAG, TABLE, Type
from ssc_ingest.models import PackageRef


class Update(Enum):
    """The source of a property, and the effect of a later reading of the package."""

    FIXED = auto()
    """Part of the identity: set from the model once, and never compared."""
    FOLLOW = auto()
    """Set to the registry's current value; ``None`` removes it."""
    KEEP = auto()
    """Set to the registry's current value; ``None`` means "not read" and keeps the old value."""
    WRITER = auto()
    """The writer computes it, by its own rules (``changes``, ``diff`` and ``rows``)."""
    ELSEWHERE = auto()
    """Another part of the program sets it, by ``UPDATE_PACKAGES`` and ``UPDATE_VERSIONS`` (``None``
    removes); readings do not change it."""
    SEPARATE = auto()
    """A task of its own sets it; readings and advisories neither set nor compare it."""


_SPARSE = (FLAG, FEW)
"""Types whose default is an absent property."""

_FROM_MODELS = {Update.FIXED, Update.FOLLOW, Update.KEEP}


@dataclass(frozen=True, slots=True)
class Property:
    """A property: one row of a table."""

    name: str
    type: Type
    update: Update
    about: str
    """Its meaning, for the documentation."""
    _: KW_ONLY
    source: str | Callable[[Any], Any] = ""
    """Attribute of the model (dots allowed) or a function of it; empty: the property's name."""
    default: Any = None
    """Stored value of a new node or edge while the value is unknown; readers also use it for an
    absent property. ``None``: absent. ``...``: always known."""
    read_with: str = ""
    """Of ``FOLLOW``: another property of the row, which is known wherever this one was read.
    Elsewhere ``None`` leaves what is known."""
    empty_is_none: bool = False
    """An empty text means "none", also where the property of ``read_with`` was not read."""
    stub: str = ""
    """Attribute of the :class:`~ssc_ingest.models.PackageRef` from which a stub takes it."""

    @property
    def get(self) -> Callable[[Any], Any]:
        """The function from the model to the stored value."""
        source = self.source or self.name
        get = attrgetter(source) if isinstance(source, str) else source
        encode = self.type.encode
        if encode is None:
            return get
        return lambda model: None if (value := get(model)) is None else encode(value)

    @property
    def path(self) -> str | None:
        """The attribute of the model that is stored unchanged; ``None`` if there is none."""
        source = self.source or self.name
        return source if isinstance(source, str) and self.type.encode is None else None

    def decode(self, stored: Any) -> Any:
        """Convert a stored value for readers."""
        value = self.default if stored is None and self.default is not ... else stored
        return value if value is None or self.type.decode is None else self.type.decode(value)


class Table:
    """The properties of one kind of node or edge."""

    def __init__(self, *properties: Property) -> None:
        self.properties = properties
        self.names = tuple(p.name for p in properties)
        aside = {Update.ELSEWHERE, Update.SEPARATE}
        self.written = tuple(p.name for p in properties if p.update not in aside)
        """The properties that readings set and compare, in the order of :meth:`stored`."""
        self.elsewhere = tuple(p.name for p in properties if p.update is Update.ELSEWHERE)
        """Those that readings leave alone."""
        self.defaults = {
            p.name: p.default
            for p in properties
            if p.default not in (None, ...) and p.type not in _SPARSE
        }
        """The values of a new node while nothing is known."""
        self._unread = {
            p.name for p in properties if p.update is Update.KEEP and p.name in self.defaults
        }
        """The properties whose default is stored until they are read."""
        sourced = [p for p in properties if p.update in _FROM_MODELS]
        self.sourced = tuple(p.name for p in sourced)
        """The properties that come from a model."""
        self._paths = [p.path for p in sourced]
        self._sources = {p.name: p.get for p in sourced}
        self._emptied = tuple(p.name for p in properties if p.empty_is_none)
        self._flags = {p.name for p in properties if p.type is FLAG}
        self._elsewhere = {p.name: p.get for p in properties if p.update is Update.ELSEWHERE}
        self._updated = [
            (p.name, p.name if p.update is Update.KEEP else p.read_with or None)
            for p in properties
            if p.update in {Update.FOLLOW, Update.KEEP}
        ]
        """With the property that is known wherever ``None`` means "none"; ``None``: always."""
        self.tables = tuple(p.name for p in properties if p.type is TABLE)
        """Those whose text is in a node of its own."""
        self._stub = [(p.name, attrgetter(p.stub)) for p in properties if p.stub]

    # From the model --------------------------------------------------------------------------

    def row(self, model: Any) -> dict[str, Any]:
        """The stored form of the model's values; ``None`` for missing ones."""
        return {name: get(model) for name, get in self._sources.items()}

    def new(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """A row for a new node, without texts that mean "none"."""
        return {**row, **{name: row[name] or None for name in self._emptied}}

    def update(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """The properties that a reading sets on a node with unknown values; ``None`` removes."""
        return {
            name: value
            for name, witness in self._updated
            if (value := row[name]) is not None or witness is None or row[witness] is not None
        }

    def changes(self, row: Mapping[str, Any], stored: Mapping[str, Any]) -> dict[str, Any]:
        """The properties that a reading changes on a node; ``None`` removes."""
        changed = {
            name: value
            for name, witness in self._updated
            if (value := row[name]) != stored[name]
            and (value is not None or witness is None or row[witness] is not None)
        }
        for name in self._emptied:
            if changed.get(name) == "":
                changed[name] = None
                if stored[name] is None:
                    del changed[name]
        return changed

    def reader(self, first: str) -> Callable[[Any], tuple[Any, ...]]:
        """A function from a model to its attribute ``first`` and the ``sourced`` values."""
        paths = [path for path in self._paths if path is not None]
        if len(paths) == len(self._paths):
            return attrgetter(first, *paths)  # several times faster, and there are many edges
        getters: list[Callable[[Any], Any]] = [attrgetter(first), *self._sources.values()]
        return lambda model: tuple([get(model) for get in getters])

    def edge(self, values: Iterable[Any]) -> dict[str, Any]:
        """The stored form of the values after ``first`` in a result of :meth:`reader`."""
        given = zip(self.sourced, values, strict=True)
        return {name: value or None if name in self._flags else value for name, value in given}

    def elsewhere_row(self, model: Any) -> dict[str, Any]:
        """The stored form of the properties that readings leave alone; ``None`` removes one."""
        found = {name: get(model) for name, get in self._elsewhere.items()}
        return {name: None if value is False else value for name, value in found.items()}

    def stub(self, ref: PackageRef) -> dict[str, Any]:
        """The properties of a stub."""
        row = {**ref.properties, **self.defaults}
        for name, get in self._stub:
            row[name] = get(ref)
        return row

    # From the graph --------------------------------------------------------------------------

    def stored(self, values: Sequence[Any]) -> dict[str, Any]:
        """The properties by name, from the result of :meth:`cypher_list`."""
        return dict(zip(self.written, values, strict=True))

    def view(self, node: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
        """The values of the named properties, converted for readers."""
        wanted = set(names)
        return {p.name: p.decode(node.get(p.name)) for p in self.properties if p.name in wanted}

    # Cypher ---------------------------------------------------------------------------------

    def cypher_list(self, variable: str) -> str:
        """``[version.name, ...]``: the written properties, for :meth:`stored`."""
        return f"[{', '.join(f'{variable}.{name}' for name in self.written)}]"

    def cypher_map(self, variable: str) -> str:
        """``version{.name, ...}``: all properties by name; ``null`` if absent."""
        return f"{variable}{{{', '.join(f'.{name}' for name in self.names)}}}"

    def cypher_node(self, variable: str) -> str:
        """``{name: new.name, mean: 0.0, ...}``: a new node, from a row and defaults."""
        literals = {name: json.dumps(value) for name, value in self.defaults.items()}
        values = {name: f"{variable}.{name}" for name in self.written}
        values |= {name: f"{variable}.{name}" for name in self.elsewhere}
        kept = {
            name: f"coalesce({values[name]}, {literals[name]})"
            for name in literals
            if name in self._unread or name in self._elsewhere
        }
        return _cypher(literals | values | kept)

    def cypher_edge(self, variable: str, **others: str) -> str:
        """``{constraints: edge[1], ...}``: a new edge, from a result of :meth:`reader`."""
        given = {name: f"{variable}[{place}]" for place, name in enumerate(self.sourced, 1)}
        flags = {name: f"CASE WHEN {given[name]} THEN true END" for name in self._flags}
        return _cypher(given | flags | others)


def _cypher(expressions: Mapping[str, str]) -> str:
    return f"{{{', '.join(f'{name}: {value}' for name, value in expressions.items())}}}"
