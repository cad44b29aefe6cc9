"""The imports of a ``use`` declaration, one by one.

https://doc.rust-lang.org/reference/items/use-declarations.html
"""

from collections.abc import Iterator

from tree_sitter import Node

MAX_DEPTH = 64


def uses_of(
    node: Node, content: bytes, prefix: tuple[str, ...] = (), depth: int = 0
) -> Iterator[tuple[tuple[str, ...], str | None]]:
    """Each import's path and name; without a name, it is a glob. Imports ``as _`` are left out.

    A path with a leading ``::`` begins with an empty segment.
    """
    if depth > MAX_DEPTH:
        return
    path, inner = node.child_by_field_name("path"), node.child_by_field_name("list")
    alias = node.child_by_field_name("alias")
    match node.type:
        case "use_list":
            for child in node.named_children:
                yield from uses_of(child, content, prefix, depth + 1)
        case "scoped_use_list" if inner is not None:
            start = prefix + (_path(path, content) if path else _root(prefix))
            yield from uses_of(inner, content, start, depth + 1)
        case "use_wildcard":
            named = [child for child in node.named_children if not child.type.endswith("comment")]
            yield prefix + (_path(named[0], content) if named else _root(prefix)), None
        case "use_as_clause" if path is not None and alias is not None:
            if (name := _word(alias, content)) != "_":
                yield _without_self(prefix + _path(path, content)), name
        case "identifier" | "scoped_identifier" | "self" | "crate" | "super" | "metavariable":
            whole = _without_self(prefix + _path(node, content))
            if whole[-1] not in {"crate", "self", "super"}:
                yield whole, whole[-1]


def _without_self(path: tuple[str, ...]) -> tuple[str, ...]:
    """The path of ``a::{self}`` is that of ``a``."""
    while len(path) > 1 and path[-1] == "self":
        path = path[:-1]
    return path


def _root(prefix: tuple[str, ...]) -> tuple[str, ...]:
    """The path of ``::{...}`` or ``::*``."""
    return () if prefix else ("",)


def _word(node: Node, content: bytes) -> str:
    return content[node.start_byte : node.end_byte].decode(errors="replace").removeprefix("r#")


def _path(node: Node, content: bytes) -> tuple[str, ...]:
    text = content[node.start_byte : node.end_byte].decode(errors="replace")
    if "/" in text:  # comments between the segments
        return tuple(_segments(node, content))
    return tuple(part.strip().removeprefix("r#") for part in text.split("::"))


def _segments(node: Node, content: bytes) -> Iterator[str]:
    """The segments of a path, left to right, without separators."""
    stack = [node]
    while stack:
        current = stack.pop()
        if current.type == "scoped_identifier":
            stack += [
                child
                for child in reversed(current.children)
                if child.is_named and not child.type.endswith("comment")
            ]
        else:
            yield _word(current, content)
