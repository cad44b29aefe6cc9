"""The paths by which other crates can name the items of a crate.

Imports are resolved inside the crate. An item that ``pub use`` takes from another crate is one
name; the contents of other crates (``pub use other::*``) are unknown here.

https://doc.rust-lang.org/reference/names/name-resolution.html
"""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain

from ssc_ingest.source_code.isolated import MAX_NAMES
from ssc_ingest.source_code.rust_files import read_crate
from ssc_ingest.source_code.rust_model import LEAF, Crate, Item, Module, Use

_MAX_ROUNDS = 8
"""Globs of modules that are themselves found through globs need several rounds."""

_EXTERNAL = ""
OLD_EDITION = "2015"


def names(
    files: Mapping[str, bytes],
    *,
    root: str,
    library: str,
    edition: str = "2021",
    procedural: bool = False,
) -> set[str]:
    """The library's name, and its public items as ``library::module::Item``.

    Args:
        files: sources by their path in the crate.
        root: the root file.
        library: the library's name.
        edition: the edition of Rust, which decides where paths begin.
        procedural: whether it is a ``proc-macro`` crate, which exports only its macros.
    """
    crate = read_crate(files, root)
    if procedural:
        return {library} | {f"{library}::{name}" for name in crate.procedural}
    found = {library} | {f"{library}::{name}" for name in crate.macros}
    for path in Exports(crate, library, edition).paths():
        if len(found) >= MAX_NAMES:
            break
        found.add("::".join((library, *path)))
    return found


class Exports:
    """Resolves the imports of a crate."""

    def __init__(self, crate: Crate, library: str, edition: str) -> None:
        self._root = crate.root
        self._macros = crate.macros
        self._library = library
        self._old = edition == OLD_EDITION
        self._globs: dict[int, list[tuple[bool, Item]]] = {}
        """By module: what its globs import, and whether publicly."""
        self._reachable: dict[int, set[int]] = {}
        self._cache: dict[tuple[int, str], list[Item]] = {}
        self._defining: dict[str, list[Item]] = {}
        """By name: the modules and enums with it."""
        self._modules_as_items: dict[int, Item] = {}
        self._resolve_globs()

    def paths(self) -> Iterator[tuple[str, ...]]:
        """The path of each public item, shortest first."""
        queue: deque[tuple[tuple[str, ...], Module, frozenset[int]]] = deque()
        queue.append(((), self._root, frozenset({id(self._root)})))
        while queue:
            path, module, above = queue.popleft()
            for name, items in self._public(module).items():
                inner = (*path, name)
                yield inner
                for item in items:
                    content = item.content
                    if content is not None and id(content) not in above:
                        queue.append((inner, content, above | {id(content)}))

    def _public(self, module: Module) -> dict[str, list[Item]]:
        """The names that a module offers to other crates."""
        found: dict[str, list[Item]] = {}
        for source in self._with_globs(module):
            if source.content is None:
                for variant in source.variants:
                    found.setdefault(variant, [LEAF])
                continue
            for name, items in source.content.items.items():
                if public := [item for item in items if item.public]:
                    found.setdefault(name, []).extend(public)
            for name, uses in source.content.uses.items():
                for use in uses:
                    if use.public:
                        found.setdefault(name, []).extend(self._target(source.content, use))
        return found

    def _with_globs(self, module: Module) -> list[Item]:
        """The module, and the items that its public globs import, directly or indirectly."""
        found = {id(module): Item(public=True, content=module)}
        queue = [module]
        while queue:
            for public, item in self._globs.get(id(queue.pop()), ()):
                key = id(item.content or item)
                if public and key not in found:
                    found[key] = item
                    if item.content is not None:
                        queue.append(item.content)
        return list(found.values())

    def _target(self, module: Module, use: Use) -> list[Item]:
        """The items of a named import; a leaf if they are not in this crate.

        Rust re-exports no private item, such as the private module ``copy`` beside the function.
        """
        found = self._resolve(module, use.path)
        return [item for item in found if item.public] or found or [LEAF]

    def _resolve_globs(self) -> None:
        modules = list(self._modules())
        for module in modules:
            for name in module.items.keys() | module.uses.keys():
                self._defining.setdefault(name, []).append(self._as_item(module))
            for item in chain.from_iterable(module.items.values()):
                for variant in item.variants:
                    self._defining.setdefault(variant, []).append(item)
        for _ in range(_MAX_ROUNDS):
            self._cache, self._reachable = {}, {}
            globs = {
                id(module): [
                    (use.public, item)
                    for use in module.globs
                    for item in self._resolve(module, use.path)
                ]
                for module in modules
                if module.globs
            }
            if globs == self._globs:
                return
            self._globs = globs

    def _modules(self) -> Iterator[Module]:
        queue = deque([self._root])
        while queue:
            module = queue.popleft()
            yield module
            for items in module.items.values():
                queue.extend(item.content for item in items if item.content is not None)

    def _resolve(self, module: Module, path: tuple[str, ...]) -> list[Item]:
        """The items at a path; none if it leads to another crate or to a macro's result."""
        start, rest = self._start(module, path)
        for segment in rest:
            start = self._inside(start, segment)
        return start

    def _start(self, module: Module, path: tuple[str, ...]) -> tuple[list[Item], tuple[str, ...]]:
        """Where a path begins, and its further segments."""
        first, rest = (path[0], path[1:]) if path else (_EXTERNAL, ())
        if first in {"crate", "$crate"}:
            return [self._as_item(self._root)], rest
        if first in {"self", "super"}:
            while True:
                if first == "super":
                    module = module.parent or self._root
                if not rest or rest[0] != "super":
                    return [self._as_item(module)], rest
                first, rest = rest[0], rest[1:]
        if first == _EXTERNAL:
            return ([self._as_item(self._root)], rest) if self._old else ([], rest)
        for base in (self._root, module) if self._old else (module,):
            if items := self._lookup(base, first):
                return items, rest
        if first == self._library:
            return [self._as_item(self._root)], rest
        return [], rest

    def _inside(self, items: Iterable[Item], name: str) -> list[Item]:
        found: list[Item] = []
        for item in items:
            if item.content is not None:
                found += self._lookup(item.content, name)
            elif name in item.variants:
                found.append(LEAF)
        return found

    def _lookup(self, module: Module, name: str) -> list[Item]:
        """All items that have a name in a module, public or not."""
        key = (id(module), name)
        if (known := self._cache.get(key)) is not None:
            return known
        # An import that leads back here finds the definitions alone: ``mod copy; use copy::copy;``.
        self._cache[key] = list(module.items.get(name, ()))
        found = self._own(module, name)
        # A definition hides names that globs import. So does an import, but that may be for another
        # platform.
        if module.globs and name not in module.items:
            reachable = self._through_globs(module)
            for item in self._defining.get(name, ()):
                if item.content is not None:
                    if id(item.content) in reachable:
                        found += self._own(item.content, name)
                elif id(item) in reachable:
                    found.append(LEAF)
        if not found and module is self._root and name in self._macros:
            found = [LEAF]
        found = self._cache[key] = list({id(item): item for item in found}.values())
        return found

    def _own(self, module: Module, name: str) -> list[Item]:
        """The items that a module defines or imports under this name."""
        found = list(module.items.get(name, ()))
        for use in module.uses.get(name, ()):
            found += self._resolve(module, use.path)
        return found

    def _through_globs(self, module: Module) -> set[int]:
        """The modules and enums whose names a module's globs import, directly or indirectly."""
        known = self._reachable.get(id(module))
        if known is None:
            known = self._reachable[id(module)] = set()
            queue = [id(module)]
            while queue:
                for _, item in self._globs.get(queue.pop(), ()):
                    key = id(item if item.content is None else item.content)
                    if key not in known:
                        known.add(key)
                        queue.append(key)
        return known

    def _as_item(self, module: Module) -> Item:
        """Always the same item for a module, so that results are comparable."""
        return self._modules_as_items.setdefault(id(module), Item(public=True, content=module))
