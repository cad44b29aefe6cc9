"""Attributes of Rust items: conditions, hidden items, exported macros, paths of modules.

https://doc.rust-lang.org/reference/attributes.html
"""

import re
from collections.abc import Iterable, Iterator

_NEVER = {"test", "doc", "doctest", "docsrs"}
"""Flags of builds that no dependent crate sees."""

_TOKEN = re.compile(r'\s*(?:(r?"(?:[^"\\]|\\.)*")|([\w#]+(?:\s*::\s*\w+)*)|(.))', re.DOTALL)
_MAX_DEPTH = 32


class Meta:
    """One attribute: ``name``, ``name = value`` or ``name(children)``."""

    __slots__ = ("children", "name", "value")

    def __init__(self, name: str) -> None:
        self.name = name
        self.value: str | None = None
        self.children: list[Meta] = []

    def __contains__(self, name: str) -> bool:
        return any(child.name == name for child in self.children)


def parse_attribute(text: str) -> list[Meta]:
    """The attribute in ``[...]``.

    A ``cfg_attr`` gives the attributes that it adds, unless its condition is never true.
    """
    tokens = iter([*_TOKEN.findall(text)])
    return list(_expanded(_parse(tokens, 0)))


def _expanded(metas: Iterable[Meta]) -> Iterator[Meta]:
    for meta in metas:
        if meta.name == "cfg_attr" and meta.children:
            if holds(meta.children[0]) is not False:
                for added in _expanded(meta.children[1:]):
                    # Whether the item is hidden, or there at all, depends on the condition.
                    if added.name not in {"doc", "cfg"}:
                        yield added
        else:
            yield meta


def _parse(tokens: Iterator[tuple[str, str, str]], depth: int) -> list[Meta]:
    metas: list[Meta] = []
    expect_value = False
    for text, name, sign in tokens:
        if name:
            metas.append(Meta(re.sub(r"\s", "", name).removeprefix("r#")))
            expect_value = False
        elif text:
            if expect_value and metas:
                metas[-1].value = text.removeprefix("r")[1:-1]
            expect_value = False
        elif sign == "=":
            expect_value = True
        elif sign == "(" and depth < _MAX_DEPTH:
            children = _parse(tokens, depth + 1)
            if metas:
                metas[-1].children = children
        elif sign == ")":
            break
    return metas


def holds(condition: Meta) -> bool | None:
    """Whether a condition of ``cfg`` is true in builds of dependent crates; ``None``: in some."""
    if condition.name == "not" and condition.children:
        inner = holds(condition.children[0])
        return None if inner is None else not inner
    if condition.name in {"all", "any"}:
        results = {holds(child) for child in condition.children}
        decisive = condition.name == "any"
        if decisive in results:
            return decisive
        return None if None in results else not decisive
    if condition.name == "false" or (condition.name in _NEVER and condition.value is None):
        return False
    return None


class Attributes:
    """The meaning of one item's attributes."""

    def __init__(self, metas: Iterable[Meta]) -> None:
        self._metas = list(metas)

    def __contains__(self, name: str) -> bool:
        return any(meta.name == name for meta in self._metas)

    @property
    def absent(self) -> bool:
        """Whether no dependent crate sees the item."""
        return any(
            meta.name == "cfg" and meta.children and holds(meta.children[0]) is False
            for meta in self._metas
        )

    @property
    def hidden(self) -> bool:
        """Whether the item is declared as no part of the public interface."""
        return any(meta.name == "doc" and "hidden" in meta for meta in self._metas)

    @property
    def paths(self) -> list[str]:
        """The files of a module, one per condition."""
        return [meta.value for meta in self._metas if meta.name == "path" and meta.value]

    @property
    def derive(self) -> str | None:
        """The derive macro that a function of a ``proc-macro`` crate implements."""
        return next(
            (
                m.children[0].name
                for m in self._metas
                if m.name == "proc_macro_derive" and m.children
            ),
            None,
        )
