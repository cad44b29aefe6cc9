"""Values of the graph as text and as JSON: nodes, paths, times."""

from collections.abc import Iterator, Mapping
from functools import singledispatch
from typing import Any

from neo4j.graph import Node, Path, Relationship
from neo4j.spatial import Point
from neo4j.time import Date, DateTime, Duration, Time


@singledispatch
def document(value: Any) -> Any:
    """The value as JSON; nodes and relationships have their properties."""
    return value


@document.register
def _(value: Node) -> Any:
    return {
        "element_id": value.element_id,
        "labels": sorted(value.labels),
        "properties": document(dict(value.items())),
    }


@document.register
def _(value: Relationship) -> Any:
    start, end = (node.element_id if node else None for node in value.nodes)
    return {
        "element_id": value.element_id,
        "type": value.type,
        "start": start,
        "end": end,
        "properties": document(dict(value.items())),
    }


@document.register
def _(value: Path) -> Any:
    return [document(part) for part in _parts(value)]


@document.register(Mapping)
def _(value: Mapping[str, Any]) -> Any:
    return {key: document(item) for key, item in value.items()}


@document.register(list)
@document.register(Point)
def _(value: Any) -> Any:
    return [document(item) for item in value]


@document.register(Date)
@document.register(DateTime)
@document.register(Duration)
@document.register(Time)
def _(value: Any) -> Any:
    return value.iso_format()


@singledispatch
def text(value: Any) -> str:
    """The value as Cypher writes it; a node is its labels and its purl or name."""
    return str(document(value))


@text.register
def _(value: None) -> str:
    del value
    return "null"


@text.register
def _(value: bool) -> str:  # noqa: FBT001 - dispatched on its type
    return str(value).lower()


@text.register
def _(value: Node) -> str:
    name = value.get("purl") or value.get("name") or ""
    return f"(:{':'.join(sorted(value.labels))} {name})"


@text.register
def _(value: Relationship) -> str:
    properties = _properties(value)
    return f"[:{value.type} {properties}]" if properties else f"[:{value.type}]"


@text.register
def _(value: Path) -> str:
    return "-".join(text(part) for part in _parts(value))


@text.register(Mapping)
def _(value: Mapping[str, Any]) -> str:
    return f"{{{_properties(value)}}}"


@text.register(list)
def _(value: list[Any]) -> str:
    return f"[{', '.join(map(text, value))}]"


def _parts(path: Path) -> Iterator[Node | Relationship]:
    """Nodes and relationships alternately, in the order of the path."""
    first, *others = path.nodes
    yield first
    for relationship, node in zip(path.relationships, others, strict=True):
        yield relationship
        yield node


def _properties(value: Any) -> str:
    return ", ".join(f"{key}: {text(item)}" for key, item in value.items())
