"""What a macro makes of its input, as far as this can be told without expanding it.

https://doc.rust-lang.org/reference/macros-by-example.html
"""

from collections.abc import Iterator

from tree_sitter import Node

from ssc_ingest.source_code.rust_attributes import parse_attribute

_TYPES = ("struct", "enum", "union", "trait")


def inputs_of(name: str, tokens: Node, content: bytes) -> Iterator[bytes]:
    """The parts of a macro's input that may have items: for ``cfg_if!``, each branch."""
    branches = tokens.children if name == "cfg_if" else [tokens]
    for branch in branches:
        if name != "cfg_if" or content.startswith(b"{", branch.start_byte, branch.end_byte):
            yield content[branch.start_byte + 1 : branch.end_byte - 1].strip()


def types_between(tokens: Node, content: bytes) -> Iterator[str]:
    """The public types in a macro's input that is not Rust: ``"as" pub struct As "async" ...``.

    Those with attributes or comments are left out: they may be hidden.
    """
    if b"pub" not in content[tokens.start_byte : tokens.end_byte]:
        return
    children = tokens.children
    for before, public, kind, name in zip(
        children, children[1:], children[2:], children[3:], strict=False
    ):
        is_type = public.type == "pub" and kind.type in _TYPES and name.type == "identifier"
        if is_type and before.type not in {"token_tree", "line_comment", "block_comment"}:
            text = content[name.start_byte : name.end_byte].decode(errors="replace")
            yield text.removeprefix("r#")


def constant_expansion(node: Node, content: bytes) -> bytes | None:
    """The expansion of ``name!()``, if the macro has a rule without input."""
    for rule in node.named_children:
        left, right = rule.child_by_field_name("left"), rule.child_by_field_name("right")
        if left and right and not content[left.start_byte + 1 : left.end_byte - 1].strip():
            return content[right.start_byte + 1 : right.end_byte - 1]
    return None


def exports_input(node: Node, content: bytes) -> bool:
    """Whether the macro puts ``#[macro_export]`` before an item of its input (``$name:item``)."""
    if b"macro_export" not in content[node.start_byte : node.end_byte]:
        return False
    for rule in node.named_children:
        left, right = rule.child_by_field_name("left"), rule.child_by_field_name("right")
        if left and right and _items_of(left) & _exported(right, content):
            return True
    return False


def _items_of(pattern: Node) -> set[bytes]:
    """The names of a pattern that stand for items."""
    return {
        name.text or b""
        for binding in _descendants(pattern)
        if (name := binding.child_by_field_name("name"))
        and (kind := binding.child_by_field_name("type"))
        and kind.text == b"item"
    }


def _exported(expansion: Node, content: bytes) -> set[bytes]:
    """The names in an expansion that come directly after ``#[macro_export]``."""
    found = set()
    for tree in (expansion, *_descendants(expansion)):
        is_exported = False
        for node in tree.children:
            if node.type == "metavariable" and is_exported:
                found.add(node.text or b"")
            if node.type == "token_tree" and content.startswith(b"[", node.start_byte):
                text = content[node.start_byte : node.end_byte].decode(errors="replace")
                is_exported |= any(each.name == "macro_export" for each in parse_attribute(text))
            elif node.type != "#" and not node.type.endswith("comment"):
                is_exported = False
    return found


def _descendants(node: Node) -> Iterator[Node]:
    stack = [node]
    while stack:
        current = stack.pop()
        yield current
        stack += current.named_children
