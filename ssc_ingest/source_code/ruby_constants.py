"""The constants of a gem: modules and classes that its files define.

Those at the top level, and those directly inside of them: ``ActiveSupport``,
``ActiveSupport::Cache``. Classes of Ruby itself, which many files extend, are left out.

https://docs.ruby-lang.org/en/master/syntax/modules_and_classes_rdoc.html
"""

import re
from collections.abc import Iterator, Mapping

import tree_sitter_ruby
from tree_sitter import Language, Node, Parser

MAX_PARSED = 32 * 1024 * 1024
"""Bytes of a gem's sources to parse, those with the shortest paths first."""

MAX_LEVELS = 2
"""Levels of definitions."""

_MAX_DEPTH = 16

_TRANSPARENT = {
    "begin",
    "body_statement",
    "else",
    "elsif",
    "if",
    "program",
    "then",
    "unless",
}
"""What may surround a definition."""

_BUILT_IN = frozenset(
    [
        "Array",
        "BasicObject",
        "Binding",
        "Class",
        "Comparable",
        "Complex",
        "Data",
        "Dir",
        "Encoding",
        "Enumerable",
        "Enumerator",
        "Errno",
        "Exception",
        "FalseClass",
        "Fiber",
        "File",
        "Float",
        "GC",
        "Hash",
        "IO",
        "Integer",
        "Kernel",
        "Marshal",
        "MatchData",
        "Math",
        "Method",
        "Module",
        "NilClass",
        "Numeric",
        "Object",
        "ObjectSpace",
        "Proc",
        "Process",
        "Ractor",
        "Random",
        "Range",
        "Rational",
        "Refinement",
        "Regexp",
        "RubyVM",
        "Set",
        "Signal",
        "StandardError",
        "String",
        "Struct",
        "Symbol",
        "Thread",
        "Time",
        "TracePoint",
        "TrueClass",
        "UnboundMethod",
        "Warning",
        "Bignum",
        "Fixnum",
        "Date",
        "DateTime",
    ]
)

_CONSTANT = re.compile(r"(::)?[A-Z]\w*(::[A-Z]\w*)*")
_LANGUAGE = Language(tree_sitter_ruby.language())


def names(files: Mapping[str, bytes]) -> set[str]:
    """The constants that the files define, such as ``Net::HTTP::Persistent``."""
    found: set[str] = set()
    left = MAX_PARSED
    parser = Parser(_LANGUAGE)
    for path in sorted(files, key=lambda each: (each.count("/"), each)):
        left -= len(files[path])
        if left < 0:
            break
        tree = parser.parse(files[path])
        found.update(_defined(tree.root_node, "", 1, 0))
    return {name for name in found if name.partition("::")[0] not in _BUILT_IN}


def _defined(parent: Node, prefix: str, level: int, depth: int) -> Iterator[str]:
    if depth > _MAX_DEPTH:
        return
    for node in parent.named_children:
        if node.type in {"class", "module"}:
            name = _name(node)
            if not name:
                continue
            full = name[2:] if name.startswith("::") else prefix + name
            yield full
            body = node.child_by_field_name("body")
            if body is not None and level < MAX_LEVELS:
                yield from _defined(body, f"{full}::", level + 1, depth + 1)
        elif node.type in _TRANSPARENT:
            yield from _defined(node, prefix, level, depth + 1)


def _name(node: Node) -> str:
    """The constant that is defined; empty if a part of it is computed."""
    named = node.child_by_field_name("name")
    text = (named.text or b"").decode(errors="replace") if named is not None else ""
    name = "".join(text.split())
    return name if _CONSTANT.fullmatch(name) else ""
