"""Ranges in Requires-Dist, and the correct constraints in the graph.

Left: the text after the project's name (PEP 508 and 440), with two lines if a project has two
requirements. Right: the notation of the graph's readers; if it means another set of versions, also
the range alone, with as many lines.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from tests.simulator.universe import Spelling

ORDINARY = (
    Spelling(">={M}.{m}", ">= {M}.{m}"),
    Spelling(">={M}.{m}.{p}", ">= {M}.{m}.{p}"),
    Spelling("<{M1},>={M}.{m}", ">= {M}.{m}, < {M1}"),
    Spelling("~={M}.{m}.{p}", ">= {M}.{m}.{p}, < {M}.{m1}", "~={M}.{m}.{p}"),
    Spelling("=={M}.{m}.{p}", "== {M}.{m}.{p}"),
    Spelling("", "any"),
)
RARE = (
    Spelling("~={M}.{m}", ">= {M}.{m}, < {M1}", "~={M}.{m}"),
    Spelling("=={M}.{m}.*", ">= {M}.{m}, < {M}.{m1}", "=={M}.{m}.*"),
    Spelling("=={M}.19.*", ">= {M}.19, < {M}.20", "=={M}.19.*"),
    Spelling("=={M}.*", ">= {M}, < {M1}", "=={M}.*"),
    Spelling("==={M}.{m}.{p}", "== {M}.{m}.{p}", "==={M}.{m}.{p}"),
    Spelling("!={M}.{m}.{p}", "!= {M}.{m}.{p}"),
    Spelling("!={M}.{m}.*", "any", "!={M}.{m}.*"),
    Spelling(">={M}.{m},!={M}.{m1}.*", ">= {M}.{m}", "!={M}.{m1}.*,>={M}.{m}"),
    Spelling(">{M}.{m}", "> {M}.{m}"),
    Spelling("<={M}.{m}", "<= {M}.{m}"),
    Spelling("<{M1}", "< {M1}"),
    Spelling(">={M}.{m}.{p}rc1", ">= {M}.{m}.{p}rc1"),
    Spelling(" (>={M}.{m})", ">= {M}.{m}"),
    Spelling(" >= {M}.{m} , < {M1}", ">= {M}.{m}, < {M1}"),
    Spelling(
        " @ https://example.org/archive/{M}.{m}.zip",
        "any",
        "@ https://example.org/archive/{M}.{m}.zip",
    ),
    Spelling(
        " @ git+https://github.com/acme/project.git@v{M}.{m}",
        "any",
        "@ git+https://github.com/acme/project.git@v{M}.{m}",
    ),
)


class Declared(NamedTuple):
    """A way of writing with more than a range; ``lines`` are what ``declared`` has of each line."""

    spelling: Spelling
    lines: Sequence[Mapping[str, Any]]


DECLARED: Mapping[str, Declared] = {
    "extra": Declared(
        Spelling("[speedups]>={M}.{m}", ">= {M}.{m}"),
        [{"extras": ["speedups"]}],
    ),
    "extras": Declared(
        Spelling("[Speed_ups,cli]", "any"),
        [{"extras": ["cli", "speed-ups"]}],
    ),
    "python": Declared(
        Spelling('>={M}.{m}; python_version >= "3.8"', ">= {M}.{m}"),
        [{"marker": 'python_version >= "3.8"'}],
    ),
    "windows": Declared(
        Spelling('>={M}.{m} ; (sys_platform == "win32")', ">= {M}.{m}"),
        [{"marker": 'sys_platform == "win32"'}],
    ),
    "compatible-mac": Declared(
        Spelling(
            '~={M}.{m}; sys_platform == "darwin" or os_name == "posix"',
            ">= {M}.{m}, < {M1}",
            "~={M}.{m}",
        ),
        [{"marker": 'sys_platform == "darwin" or os_name == "posix"'}],
    ),
    "cpython": Declared(
        Spelling("; platform_python_implementation == 'CPython'", "any"),
        [{"marker": 'platform_python_implementation == "CPython"'}],
    ),
    # Two lines for one project: the one for the newest CPython on Linux counts.
    "by-python": Declared(
        Spelling(
            '<{M1}; python_version < "3.12"\n>={M}.{m}; python_version >= "3.12"',
            ">= {M}.{m}",
            "<{M1}\n",
        ),
        [{"marker": 'python_version < "3.12"'}, {"marker": 'python_version >= "3.12"'}],
    ),
    "by-platform": Declared(
        Spelling(
            '>={M}.{m}; sys_platform != "win32"\n>={M1}; sys_platform == "win32"',
            ">= {M}.{m}",
            "\n>={M1}",
        ),
        [{"marker": 'sys_platform != "win32"'}, {"marker": 'sys_platform == "win32"'}],
    ),
}
"""By the form of the requirement."""

NOISE: Mapping[str, Spelling] = {
    "test": Spelling('>=7; extra == "test"', None),
    "dev": Spelling('[all]; extra == "dev"', None),
    "docs": Spelling('>=2.0 ; python_version >= "3.8" and extra == "docs"', None),
    "": Spelling('; python_version < "3"', None),
    " ": Spelling('; platform_python_implementation == "PyPy"', None),
}
"""Lines that no edge comes from, by the extra that they are for."""
