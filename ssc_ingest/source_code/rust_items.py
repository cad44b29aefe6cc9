"""Reads the items of one Rust file, by tree-sitter's syntax tree.

Macros are not expanded. But many only select or decorate the items in their input (``cfg_if!``,
``cfg_rt! { pub mod task; }``), so items in their input count as defined; ``include!`` of a
file is followed.

https://doc.rust-lang.org/reference/items.html
"""

import posixpath
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

import tree_sitter_rust
from tree_sitter import Language, Node, Parser

from ssc_ingest.source_code.rust_attributes import Attributes, Meta, parse_attribute
from ssc_ingest.source_code.rust_macros import (
    constant_expansion,
    exports_input,
    inputs_of,
    types_between,
)
from ssc_ingest.source_code.rust_model import Crate, Item, Module, Use
from ssc_ingest.source_code.rust_uses import uses_of

MAX_DEPTH = 24
"""Maximum nesting of modules and macros inside a file."""

_PER_TEXT = 1024
"""Bytes that count for each text beside its own, so that many small ones cannot evade the
limit."""

_ITEMS = {
    "const_item",
    "enum_item",
    "function_item",
    "function_signature_item",
    "static_item",
    "struct_item",
    "trait_item",
    "type_item",
    "union_item",
}
_PROCEDURAL = ("proc_macro", "proc_macro_attribute")
_UNKNOWN_SYNTAX = re.compile(
    rb"pub\s+(?:(?:unsafe|const|async|auto|safe)\s+|static\s+(?=ref\b))*"
    rb"(?:macro|type|struct|enum|union|trait|fn|const|static|ref)\s+((?:r#)?[A-Za-z_]\w*)"
)
"""Items that the grammar lacks (``pub macro``, ``pub static ref`` inside ``lazy_static!``)."""
_SIGNS_OF_ITEMS = (b"pub", b"macro_export", b"mod", b"use")
_STRING = re.compile(rb'\(\s*"([^"\\]+)"\s*,?\s*\)')
_LANGUAGE = Language(tree_sitter_rust.language())


@dataclass(frozen=True, slots=True)
class Place:
    """Where items are read: into which module, from which file."""

    module: Module
    file: str
    folder: str
    """The folder of the module's own modules."""
    inline: bool = False
    """Whether it is a module inside a file, for which ``#[path]`` is relative to ``folder``."""
    above: frozenset[str] = frozenset()
    """The files that declare or include this one, directly or indirectly."""

    def inner(self, file: str, folder: str, module: Module | None = None) -> "Place":
        """A file that is declared or included here."""
        return Place(module or self.module, file, folder, above=self.above | {self.file})


@dataclass(frozen=True, slots=True)
class _Scope:
    """The text that is being read, and where its items belong."""

    place: Place
    content: bytes
    depth: int
    expanding: frozenset[str] = frozenset()
    """Macros whose expansion the text is; none is expanded inside of itself."""
    exports_macros: bool = False
    """Whether the text is the input of a macro that exports the macros in it."""

    def text(self, node: Node) -> str:
        """The text of a node."""
        return self.content[node.start_byte : node.end_byte].decode(errors="replace")

    def name(self, node: Node, field: str = "name") -> str:
        """The identifier in a field of a node; empty without one."""
        named = node.child_by_field_name(field)
        return "" if named is None else self.text(named).removeprefix("r#")

    def is_public(self, node: Node) -> bool:
        """Whether the visibility is ``pub``, without ``(crate)`` and the like."""
        for child in node.children:
            if child.type == "visibility_modifier":
                return self.text(child) == "pub"
        return False


class FileReader:
    """Reads one file; macros' inputs are parsed as files of their own."""

    def __init__(self, crate: Crate, content: bytes, files: Mapping[str, bytes]) -> None:
        self._crate = crate
        self._content = content
        self._files = files
        self._found: list[Place] = []
        self._readers: dict[str, Callable[[_Scope, Node, Attributes], bool]] = {
            **dict.fromkeys(_ITEMS, self._plain),
            "mod_item": self._module,
            "use_declaration": self._use,
            "extern_crate_declaration": self._extern_crate,
            "foreign_mod_item": self._foreign,
            "macro_definition": self._macro_definition,
            "macro_invocation": self._macro,
            "impl_item": _no_name,
            "empty_statement": _no_name,
            "ERROR": self._unknown,
        }

    def read(self, place: Place) -> list[Place]:
        """Add the file's items to the module; the result are its modules in other files."""
        self._parse(_Scope(place, self._content, 0))
        return self._found

    def _parse(self, scope: _Scope) -> bool:
        """Whether the text has items at all."""
        self._crate.unparsed -= len(scope.content) + _PER_TEXT
        if self._crate.unparsed < 0:
            return False
        return self._items(scope, Parser(_LANGUAGE).parse(scope.content).root_node)

    def _items(self, scope: _Scope, parent: Node) -> bool:
        if scope.depth > MAX_DEPTH:
            return False
        found = False
        pending: list[Meta] = []
        for node in parent.children:
            if node.type == "inner_attribute_item":
                if Attributes(parse_attribute(scope.text(node)[2:])).absent:
                    return True
            elif node.type == "attribute_item":
                pending += parse_attribute(scope.text(node)[1:])
            elif node.is_named and not node.type.endswith("comment"):
                attributes = Attributes(pending)
                pending = []
                is_wrapped = node.type == "expression_statement" and node.child_count
                item = node.children[0] if is_wrapped else node
                reader = self._readers.get(item.type)
                if reader and not attributes.absent:
                    found |= reader(scope, item, attributes)
        return found

    def _plain(self, scope: _Scope, node: Node, attributes: Attributes) -> bool:
        name = scope.name(node)
        if any(child.type == "ERROR" for child in node.children[:2]):
            return self._unknown(scope, node, attributes)
        if name and not attributes.hidden:
            if derived := attributes.derive:
                self._crate.procedural.add(derived.removeprefix("r#"))
            elif any(kind in attributes for kind in _PROCEDURAL):
                self._crate.procedural.add(name)
        if name not in {"", "_"}:
            variants = tuple(_variants(scope, node)) if node.type == "enum_item" else ()
            public = scope.is_public(node) and not attributes.hidden
            scope.place.module.add(name, Item(public, variants=variants))
        return True

    def _use(self, scope: _Scope, node: Node, attributes: Attributes) -> bool:
        argument = node.child_by_field_name("argument")
        public = scope.is_public(node) and not attributes.hidden
        for path, alias in uses_of(argument, scope.content) if argument else ():
            scope.place.module.add_use(Use(path, alias, public))
        return True

    def _extern_crate(self, scope: _Scope, node: Node, attributes: Attributes) -> bool:
        name = scope.name(node)
        path = ("crate",) if name == "self" else ("", name)
        alias = scope.name(node, "alias") or name
        public = scope.is_public(node) and not attributes.hidden
        scope.place.module.add_use(Use(path, alias, public))
        return True

    def _foreign(self, scope: _Scope, node: Node, attributes: Attributes) -> bool:
        del attributes
        body = node.child_by_field_name("body")
        return body is not None and self._items(replace(scope, depth=scope.depth + 1), body)

    def _module(self, scope: _Scope, node: Node, attributes: Attributes) -> bool:
        place, name = scope.place, scope.name(node)
        public = scope.is_public(node) and not attributes.hidden
        module = place.module.child(name, public=public)
        body = node.child_by_field_name("body")
        beside = place.folder if place.inline else posixpath.dirname(place.file)
        paths = [posixpath.normpath(posixpath.join(beside, each)) for each in attributes.paths]
        if body is not None:
            folder = paths[0] if paths else posixpath.join(place.folder, name)
            inside = replace(place, module=module, folder=folder, inline=True)
            inner = replace(scope, place=inside, depth=scope.depth + 1, exports_macros=False)
            self._items(inner, body)
            return True
        self._found += [place.inner(path, posixpath.dirname(path), module) for path in paths]
        if not any(path in self._files for path in paths):
            folder = posixpath.join(place.folder, name)
            self._found += [place.inner(f"{folder}.rs", folder, module)]
            self._found += [place.inner(f"{folder}/mod.rs", folder, module)]
        return True

    def _macro_definition(self, scope: _Scope, node: Node, attributes: Attributes) -> bool:
        name = scope.name(node)
        is_exported = scope.exports_macros or "macro_export" in attributes
        if is_exported and not attributes.hidden:
            self._crate.macros.add(name)
        scope.place.module.add(name, Item(public=False))
        if (items := constant_expansion(node, scope.content)) is not None:
            self._crate.expansions.setdefault(name, items)
        if exports_input(node, scope.content):
            self._crate.exporting.add(name)
        return True

    def _macro(self, scope: _Scope, node: Node, attributes: Attributes) -> bool:
        """Read the items in a macro's input; whether there are any."""
        del attributes
        called = node.child_by_field_name("macro")
        inputs = [child for child in node.children if child.type == "token_tree"]
        name = scope.text(called).rpartition("::")[2].strip() if called else ""
        if not name or not inputs:
            return False
        found = False
        if name == "include":
            found = self._include(scope, inputs[0])
        else:
            expansion = self._crate.expansions.get(name)
            for items in inputs_of(name, inputs[0], scope.content):
                inner = replace(
                    scope,
                    content=items,
                    depth=scope.depth + 1,
                    exports_macros=name in self._crate.exporting,
                )
                if expansion and not items and name not in scope.expanding:
                    inner = replace(inner, content=expansion, expanding=scope.expanding | {name})
                if inner.exports_macros or any(word in inner.content for word in _SIGNS_OF_ITEMS):
                    found |= self._parse(inner)
            if name != "cfg_if":
                self._add_types(scope, types_between(inputs[0], scope.content))
        return found

    def _add_types(self, scope: _Scope, names: Iterable[str]) -> None:
        """Add types that were not found as items."""
        known = scope.place.module.items
        for name in names:
            if name not in known:
                scope.place.module.add(name, Item(public=True))

    def _include(self, scope: _Scope, argument: Node) -> bool:
        match = _STRING.match(scope.content, argument.start_byte)
        path = match[1].decode(errors="replace") if match else ""
        path = posixpath.join(posixpath.dirname(scope.place.file), path)
        path = posixpath.normpath(path)
        self._found.append(scope.place.inner(path, scope.place.folder))
        return path in self._files

    def _unknown(self, scope: _Scope, node: Node, attributes: Attributes) -> bool:
        match = _UNKNOWN_SYNTAX.match(scope.content, node.start_byte)
        if match and not attributes.hidden:
            name = match[1].decode(errors="replace").removeprefix("r#")
            if name != "ref":
                scope.place.module.add(name, Item(public=True))
        inner = self._items(replace(scope, depth=scope.depth + 1), node)
        return inner or match is not None


def _no_name(scope: _Scope, node: Node, attributes: Attributes) -> bool:
    """An item that nobody imports."""
    del scope, node, attributes
    return True


def _variants(scope: _Scope, node: Node) -> Iterator[str]:
    body = node.child_by_field_name("body")
    for variant in body.named_children if body else ():
        if variant.type == "enum_variant" and (name := scope.name(variant)):
            yield name
