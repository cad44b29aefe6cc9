"""How Requires-Dist writes ranges, and what the graph must hold of each.

Left: what stands after the project's name (PEP 508 and 440), a line each where one project is
named twice. Right: the spelling that the graph's readers understand.
"""

from tests.simulator.universe import Spelling

ORDINARY = (
    Spelling(">={M}.{m}", ">= {M}.{m}"),
    Spelling(">={M}.{m}.{p}", ">= {M}.{m}.{p}"),
    Spelling("<{M1},>={M}.{m}", ">= {M}.{m}, < {M1}"),
    Spelling("~={M}.{m}.{p}", ">= {M}.{m}.{p}, < {M}.{m1}"),
    Spelling("=={M}.{m}.{p}", "== {M}.{m}.{p}"),
    Spelling("", "any"),
)
RARE = (
    Spelling("~={M}.{m}", ">= {M}.{m}, < {M1}"),
    Spelling("=={M}.{m}.*", ">= {M}.{m}, < {M}.{m1}"),
    Spelling("=={M}.19.*", ">= {M}.19, < {M}.20"),
    Spelling("=={M}.*", ">= {M}, < {M1}"),
    Spelling("==={M}.{m}.{p}", "== {M}.{m}.{p}"),
    Spelling("!={M}.{m}.{p}", "!= {M}.{m}.{p}"),
    Spelling("!={M}.{m}.*", "any"),
    Spelling(">={M}.{m},!={M}.{m1}.*", ">= {M}.{m}"),
    Spelling(">{M}.{m}", "> {M}.{m}"),
    Spelling("<={M}.{m}", "<= {M}.{m}"),
    Spelling("<{M1}", "< {M1}"),
    Spelling(">={M}.{m}.{p}rc1", ">= {M}.{m}.{p}rc1"),
    Spelling(" (>={M}.{m})", ">= {M}.{m}"),
    Spelling(" >= {M}.{m} , < {M1}", ">= {M}.{m}, < {M1}"),
    Spelling("[speedups]>={M}.{m}", ">= {M}.{m}"),
    Spelling("[cli,speedups]", "any"),
    Spelling(" @ https://example.org/archive/{M}.{m}.zip", "any"),
    Spelling(" @ git+https://github.com/acme/project.git@v{M}.{m}", "any"),
    Spelling('>={M}.{m}; python_version >= "3.8"', ">= {M}.{m}"),
    Spelling('>={M}.{m} ; (sys_platform == "win32")', ">= {M}.{m}"),
    Spelling('>={M}.{m}; sys_platform == "darwin" or os_name == "posix"', ">= {M}.{m}"),
    Spelling('; platform_python_implementation == "CPython"', "any"),
    # Two lines for one project: the one for the newest CPython on Linux counts.
    Spelling('<{M1}; python_version < "3.12"\n>={M}.{m}; python_version >= "3.12"', ">= {M}.{m}"),
    Spelling('>={M}.{m}; sys_platform != "win32"\n>={M1}; sys_platform == "win32"', ">= {M}.{m}"),
)
NOISE = (
    Spelling('>=7; extra == "test"', None),
    Spelling('[all]; extra == "dev"', None),
    Spelling('>=2.0 ; python_version >= "3.8" and extra == "docs"', None),
    Spelling('; python_version < "3"', None),
    Spelling('; platform_python_implementation == "PyPy"', None),
)
