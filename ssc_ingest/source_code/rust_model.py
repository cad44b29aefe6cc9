"""The definitions of one crate: modules with items and imports."""

from dataclasses import dataclass, field

MAX_PARSED = 32 * 1024 * 1024
"""Bytes of a crate's sources to parse, those of modules near the root first. Larger crates are few,
made by generators, and have more names than the graph stores."""


@dataclass(slots=True, eq=False)
class Item:
    """A named thing in a module; ``content`` of a module, ``variants`` of an enum."""

    public: bool
    content: "Module | None" = None
    variants: tuple[str, ...] = ()


LEAF = Item(public=True)
"""Something without inner names, or from another crate."""


@dataclass(slots=True, eq=False)
class Use:
    """An import; without a name it is a glob (``use a::b::*``)."""

    path: tuple[str, ...]
    name: str | None
    public: bool


@dataclass(slots=True, eq=False)
class Module:
    """A module, merged from its definitions under several conditions."""

    parent: "Module | None" = None
    items: dict[str, list[Item]] = field(default_factory=dict)
    uses: dict[str, list[Use]] = field(default_factory=dict)
    globs: list[Use] = field(default_factory=list)

    def add(self, name: str, item: Item) -> None:
        """Add an item; a name may have several, such as a module and a function."""
        self.items.setdefault(name, []).append(item)

    def add_use(self, use: Use) -> None:
        """Add an import."""
        if use.name is None:
            self.globs.append(use)
        else:
            self.uses.setdefault(use.name, []).append(use)

    def child(self, name: str, *, public: bool) -> "Module":
        """The module of that name, added if there is none."""
        for item in self.items.get(name, ()):
            if item.content is not None:
                item.public = item.public or public
                return item.content
        module = Module(self)
        self.add(name, Item(public, module))
        return module


@dataclass(slots=True)
class Crate:
    """A crate, after its files are read."""

    root: Module = field(default_factory=Module)
    macros: set[str] = field(default_factory=set)
    """Macros that ``#[macro_export]`` puts at the root."""
    procedural: set[str] = field(default_factory=set)
    """Macros of a ``proc-macro`` crate."""
    expansions: dict[str, bytes] = field(default_factory=dict)
    """By macro: the items that it stands for when it is invoked without input."""
    exporting: set[str] = field(default_factory=set)
    """Macros that export the macros in their input."""
    unparsed: int = MAX_PARSED
    """Bytes that may still be parsed."""
